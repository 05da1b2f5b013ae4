"""Recipes from outside: out of a checkpoint or a JSON file, with single settings changed by name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from stylize.checkpoint import read_checkpoint
from stylize.errors import InvalidRecipe
from stylize.training.recipe import TrainingRecipe


def read_recipe(path: Path) -> TrainingRecipe:
    """The recipe that a checkpoint was trained by, or one written down as JSON.

    What else the file holds (steps done, number of photos) is left aside; settings that it does not
    name have their defaults.

    Raises:
        InvalidRecipe: a setting has a value that it cannot have, or the file is no JSON.
        FileNotFoundError, CorruptCheckpoint.
    """
    if path.suffix == ".safetensors":
        found: Mapping[str, Any] = read_checkpoint(path).recipe
    else:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InvalidRecipe(f"{path.name} is neither a checkpoint nor JSON: {error}") from error
    names = {field.name for field in fields(TrainingRecipe)}
    return to_recipe({name: value for name, value in found.items() if name in names})


def change_settings(recipe: TrainingRecipe, changes: Sequence[str]) -> TrainingRecipe:
    """The recipe with `NAME=VALUE` settings changed; a dot leads into a group.

    Raises:
        InvalidRecipe: no setting has that name, or the value does not fit.

    >>> change_settings(TrainingRecipe(), ["losses.content=1.5", "schedule.kind=plateau"]).losses.content
    1.5
    """
    settings = asdict(recipe)
    for change in changes:
        path, separator, text = change.partition("=")
        group, *deeper = path.strip().split(".")
        place = settings
        for name in deeper:
            place, group = place.get(group, {}), name
        if not separator or not isinstance(place, dict) or group not in place:
            raise InvalidRecipe(f"give settings as NAME=VALUE, such as losses.content=1.5; got {change!r}")
        place[group] = _value(text)
    return to_recipe(settings)


def to_recipe(settings: Mapping[str, Any]) -> TrainingRecipe:
    """The recipe of nested settings, every value checked.

    Raises:
        InvalidRecipe: names the first setting that does not fit.
    """
    try:
        return TypeAdapter(TrainingRecipe).validate_python(settings)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the recipe"
        raise InvalidRecipe(f"{name} cannot be {first['input']!r}: {first['msg']}") from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
