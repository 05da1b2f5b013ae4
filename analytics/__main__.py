"""The command `analytics`: compare the variants of an experiment, or plan the next one."""

from __future__ import annotations

import typer

from analytics.commands import comparison, judgement, planning, refreshing
from analytics.errors import AnalyticsError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Click-through per user by the delta method, with interval, p-value and sample-ratio check.",
)

comparison.register(app)
planning.register(app)
refreshing.register(app)
judgement.register(app)


def main() -> None:
    """Run the command; a foreseen error ends it with one sentence and exit code 2."""
    try:
        app()
    except AnalyticsError as error:
        typer.echo(f"analytics: {error}", err=True)
        raise SystemExit(2) from error


if __name__ == "__main__":
    main()
