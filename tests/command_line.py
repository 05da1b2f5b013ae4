"""A command group of `personalize`, run in this process."""

import json
from dataclasses import dataclass
from typing import Any

from typer.testing import CliRunner

from personalize.__main__ import app
from personalize.settings import Settings


@dataclass(frozen=True)
class CommandGroup:
    """`personalize NAME ...` on the data folder of some settings; errors are raised, not printed."""

    name: str

    def run(self, *arguments: str, settings: Settings) -> str:
        """What it prints."""
        command = [self.name, *arguments, "--data-dir", str(settings.data_dir)]
        result = CliRunner().invoke(app, command, env={"COLUMNS": "300"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    def answer(self, *arguments: str, settings: Settings) -> Any:
        """What it answers with --json."""
        return json.loads(self.run(*arguments, "--json", settings=settings))
