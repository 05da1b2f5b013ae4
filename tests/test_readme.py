"""The front door tells the truth: settings, commands and pictures that README.md names exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from personalize.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def documented_settings() -> dict[str, str]:
    """Setting name to the default that the README's table states."""
    return dict(re.findall(r"^\| `(PERSONALIZE_\w+)` \| (.*?) \|", README, flags=re.MULTILINE))


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(documented_settings()) == {f"PERSONALIZE_{name.upper()}" for name in Settings.model_fields}


def test_documented_defaults_are_the_defaults() -> None:
    for name, stated in documented_settings().items():
        default = Settings.model_fields[name.removeprefix("PERSONALIZE_").lower()].default
        if isinstance(default, str | int | float) and not isinstance(default, bool) and default != "":
            assert stated.strip("`") == str(default), name


@pytest.mark.parametrize("picture", re.findall(r"!\[.*?\]\((.*?)\)", README))
def test_pictures_exist(picture: str) -> None:
    assert (ROOT / picture).stat().st_size > 10_000


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = re.findall(r"^pip install -e '\.\[test\]' && pytest$", README, flags=re.MULTILINE)
    assert len(commands) == 1


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize(
    ("program", "command"),
    sorted(
        {
            (match[1], match[2])
            for line in shell_lines()
            if (
                match := re.match(
                    r"(personalize|stylize|analytics) ([a-z-]+(?: (?:add|upgrade|current))?)", line
                )
            )
        }
    ),
)
def test_commands_exist_and_take_the_options_shown(program: str, command: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", program, *command.split(), "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"COLUMNS": "200", "PATH": "", "NO_COLOR": "1"},
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    for line in shell_lines():
        if line.startswith(f"{program} {command} "):
            for option in re.findall(r"--[a-z-]+", line):
                assert option in answer.stdout, f"{line}: no option {option}"
