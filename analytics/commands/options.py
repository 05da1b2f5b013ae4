"""What the commands of an experiment share: where its data are, and how they are cleaned."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from analytics.errors import InvalidRequest

if TYPE_CHECKING:
    from analytics.cleaning import Cleaning
    from analytics.reading import Source

DATA = "Where the data are: a database, or files"
RELATIONS = ("units", "days", "experiments", "impressions", "clicks", "purchases", "users")
COLUMNS = (
    "user",
    "variant",
    "clicks",
    "impressions",
    "clicked",
    "day",
    "impression_id",
    "event_id",
    "shown_at",
    "clicked_at",
    "purchased_at",
    "value",
    "currency",
)
RULES = (
    "Rule by which rows count, such as two_variants=first, bot_impressions=500, late=keep or "
    "missing_ids=refuse. Repeat for more. Defaults: every rule drops what breaks it and counts it, "
    "two_variants=exclude, bot_impressions=1000, clock_skew=0, attribution=86400 (seconds), "
    "no started_at, no stopped_at."
)


@dataclass(frozen=True)
class Where:
    """The options that say where the data are; one parameter of a command each."""

    database: Annotated[
        str | None, typer.Option(help="Database URL, or the path of an SQLite file.", rich_help_panel=DATA)
    ] = None
    experiment: Annotated[
        str | None, typer.Option(help="Name of the experiment in the database.", rich_help_panel=DATA)
    ] = None
    totals: Annotated[
        Path | None,
        typer.Option(
            help="CSV (.gz too) or Parquet, one row per user: user, variant and what the metrics sum, "
            "such as clicks and impressions.",
            rich_help_panel=DATA,
        ),
    ] = None
    events: Annotated[
        Path | None,
        typer.Option(
            help="CSV (.gz too) or Parquet, one row per impression: user, variant, clicked, and if known "
            "impression_id and shown_at (or day).",
            rich_help_panel=DATA,
        ),
    ] = None
    impressions: Annotated[
        Path | None,
        typer.Option(
            help="Raw log of impressions: impression_id, user, variant, and if known shown_at.",
            rich_help_panel=DATA,
        ),
    ] = None
    clicks: Annotated[
        Path | None,
        typer.Option(
            help="Raw log of clicks beside it: impression_id, and if known event_id and clicked_at.",
            rich_help_panel=DATA,
        ),
    ] = None
    purchases: Annotated[
        Path | None,
        typer.Option(
            help="Raw log of purchases beside it: impression_id, value, and if known event_id, purchased_at "
            "and currency; its values are summed as revenue.",
            rich_help_panel=DATA,
        ),
    ] = None
    users: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="One row per user: user, and quantities from before the experiment or segments. `power` "
            "takes a number too: so many users of both variants together.",
            rich_help_panel=DATA,
        ),
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS",
            help=f"What a file calls one of {', '.join(COLUMNS)}, such as user=shopper_id. Repeat for more.",
            rich_help_panel=DATA,
        ),
    ] = None
    relation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OURS=THEIRS",
            help="What the database calls one of units (experiment_units), days (experiment_unit_days), "
            "experiments, impressions, clicks, purchases, or its table of users. Repeat for more.",
            rich_help_panel=DATA,
        ),
    ] = None
    rule: Annotated[
        list[str] | None, typer.Option(metavar="RULE=VALUE", help=RULES, rich_help_panel=DATA)
    ] = None
    currency: Annotated[
        str | None,
        typer.Option(
            metavar="CODE",
            help="The currency that counts, such as EUR; purchases in another one do not. Default: that of "
            "the definition, or the only one there is.",
            rich_help_panel=DATA,
        ),
    ] = None
    rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE=RATE",
            help="What one of another currency is worth in it, such as USD=0.92: its purchases are "
            "converted. Repeat for more.",
            rich_help_panel=DATA,
        ),
    ] = None
    definition: Annotated[
        Path | None,
        typer.Option(
            help="The experiment as a TOML or JSON file: shares, window, metrics.", rich_help_panel=DATA
        ),
    ] = None
    share: Annotated[
        list[str] | None,
        typer.Option(metavar="VARIANT=SHARE", help="Planned share; repeat for each variant."),
    ] = None

    @property
    def users_planned(self) -> list[int]:
        """The numbers among `users`."""
        return [int(text) for text in self.users or () if text.isdigit()]

    @property
    def users_file(self) -> Path | None:
        """The file among `users`.

        Raises:
            InvalidRequest: there are two.
        """
        files = [text for text in self.users or () if not text.isdigit()]
        if len(files) > 1:
            raise InvalidRequest(f"one file of users is wanted, got {' and '.join(files)}")
        return Path(files[0]) if files else None

    def source(self) -> Source:
        """The one source that was named.

        Raises:
            InvalidRequest: none, several, or options that do not belong to it.
        """
        tables = (self.events, self.impressions, self.totals)
        if sum(source is not None for source in (self.database, *tables)) != 1:
            raise InvalidRequest(
                "name one source: --database with --experiment, or --events, or --impressions with "
                "--clicks, or --totals"
            )
        return self._database() if self.database else self._tables()

    def cleaning(self) -> Cleaning:
        """The rules.

        Raises:
            InvalidRequest: an unknown rule, a value that it cannot take, or two rates of a currency.
        """
        from analytics.cleaning import parse_rules

        rules = parse_rules(dict(split(text, "=", "--rule") for text in self.rule or ()))
        rates = [split(text, "=", "--rate") for text in self.rate or ()]
        twice = next((code for code, _ in rates if [c for c, _ in rates].count(code) > 1), None)
        if twice is not None:
            raise InvalidRequest(f"--rate names {twice} twice; give one rate of each currency")
        return replace(rules, currency=self.currency, rates=dict(rates))

    def shares(self) -> dict[str, float] | None:
        """The planned shares, if they were given."""
        return dict(_share(text) for text in self.share) if self.share else None

    def _database(self) -> Source:
        from analytics.reading import Database
        from analytics.sql.database import Relations
        from analytics.sql.logs import CLICKS, PURCHASES, EventLogs
        from analytics.sql.raw import Users

        if not self.experiment:
            raise InvalidRequest("a database holds many experiments: name one with --experiment")
        if self.users_file is not None:
            raise InvalidRequest("--users goes with files; name a table of the database: --relation users=…")
        names = _renamed(self.relation, RELATIONS, "--relation")
        relations = {key: names[key] for key in ("units", "days", "experiments") if key in names}
        outcomes = tuple(replace(log, table=names.get(log.name, log.table)) for log in (CLICKS, PURCHASES))
        logs = EventLogs(impressions=names.get("impressions", "impressions"), outcomes=outcomes)
        users = Users(names["users"]) if "users" in names else None
        return Database(self.database or "", logs, users, Relations(**relations))

    def _tables(self) -> Source:
        from analytics.frames.files import ColumnNames
        from analytics.frames.tables import Tables

        names = ColumnNames(_renamed(self.column, COLUMNS, "--column"))
        return Tables(
            self.events,
            self.impressions,
            self.clicks,
            self.totals,
            self.users_file,
            names,
            self.purchases,
        )


def takes_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with one option for each field of the groups, such as `Where`, that its parameters name."""
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters.values()
    groups = {p.name: hints[p.name] for p in own if is_dataclass(hints[p.name])}

    def run(**given: Any) -> None:
        made = {
            name: group(**{f.name: given.pop(f.name) for f in fields(group)})
            for name, group in groups.items()
        }
        command(**made, **given)

    parameters: list[inspect.Parameter] = []
    for p in own:
        if p.name in groups:
            parameters += _options(groups[p.name])
        else:
            parameters.append(p.replace(kind=p.KEYWORD_ONLY, annotation=hints[p.name]))
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _options(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name])
        for f in fields(group)
    ]


def split(text: str, separator: str, option: str) -> tuple[str, str]:
    """The two sides of OURS=THEIRS.

    Raises:
        InvalidRequest: one of them is missing.
    """
    left, found, right = text.partition(separator)
    if not (left and found and right):
        raise InvalidRequest(f"{option} wants two names with {separator!r} between them, got {text!r}")
    return left, right


def _renamed(texts: Sequence[str] | None, known: Collection[str], option: str) -> dict[str, str]:
    renamed = dict(split(text, "=", option) for text in texts or ())
    for name in renamed:
        if name not in known:
            raise InvalidRequest(f"{option} knows {', '.join(known)}, not {name!r}")
    return renamed


def _share(text: str) -> tuple[str, float]:
    name, number = split(text, "=", "--share")
    share = float(number) if re.fullmatch(r"\d*\.?\d+", number) else 0.0
    if share == 0.0:
        raise InvalidRequest(f"--share wants a number above 0 such as control=0.5, got {text!r}")
    return name, share
