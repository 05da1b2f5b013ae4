"""The command `stylize`: train a network, render photos, list styles, measure a network."""

import typer

from stylize.commands.editing import add_style, remove_style, rename_style
from stylize.commands.evaluate import evaluate
from stylize.commands.render import render
from stylize.commands.styles import styles
from stylize.commands.train import train

app = typer.Typer(
    name="stylize",
    help="Many styles in one network: train it, render photos with it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (train, add_style, remove_style, rename_style, render, styles, evaluate):
    app.command()(command)


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
