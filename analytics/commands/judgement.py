"""The commands `prefer` and `opinions`: what raters think of the styles."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from analytics.errors import InvalidRequest

Alpha = Annotated[float, typer.Option(min=1e-9, max=0.5, help="Chance of a false finding to accept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help="What the file calls one of our columns, such as rater=judge_id. Repeat for more.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(prefer)
    app.command(name="opinions")(opinions_command)


def prefer(
    pairs: Annotated[
        Path,
        typer.Option(
            help="CSV (.gz too) or Parquet, one row a comparison: left, right, preferred (a style, left, "
            "right or neither), and where known rater and item.",
        ),
    ],
    column: Columns = None,
    side: Annotated[
        bool, typer.Option("--side/--no-side", help="Estimate what standing on the left is worth.")
    ] = True,
    alpha: Alpha = 0.05,
    as_json: AsJson = False,
) -> None:
    """Rank styles by comparisons of two: Bradley-Terry strengths with intervals and a side effect."""
    from analytics.judgement import agreement_on_pairs
    from analytics.judgement import prefer as rank
    from analytics.judgement.files import PAIR_COLUMNS, read_pairs
    from analytics.judgement.tables import agreement_sentence, duels_table, strengths_table

    read, item = read_pairs(pairs, columns=_renamed(column, PAIR_COLUMNS))
    preference = rank(read, side=side, alpha=alpha)
    agreement = agreement_on_pairs(read, item, alpha)
    if as_json:
        _print_json(preference.to_dict(), agreement)
        return
    tables = [strengths_table(preference), duels_table(preference)] if preference.styles else []
    _print(preference.conclusion, tables, agreement_sentence(agreement))


def opinions_command(
    scores: Annotated[
        Path,
        typer.Option(
            help="CSV (.gz too) or Parquet, one row a score: style, rater, score, and where known item."
        ),
    ],
    column: Columns = None,
    alpha: Alpha = 0.05,
    as_json: AsJson = False,
) -> None:
    """Score styles by what raters gave them, the raters' severity taken out, with intervals."""
    from analytics.judgement import agreement_on_scores, opinions
    from analytics.judgement.files import SCORE_COLUMNS, read_scores
    from analytics.judgement.tables import agreement_sentence, opinions_table

    read = read_scores(scores, columns=_renamed(column, SCORE_COLUMNS))
    result = opinions(read, alpha=alpha)
    agreement = agreement_on_scores(read, alpha)
    if as_json:
        _print_json(result.to_dict(), agreement)
        return
    tables = [opinions_table(result)] if result.styles else []
    _print(result.conclusion, tables, agreement_sentence(agreement))


def _print_json(document: Mapping[str, Any], agreement: Any) -> None:
    from dataclasses import asdict

    typer.echo(json.dumps({**document, "agreement": asdict(agreement)}, indent=2, allow_nan=False))


def _print(conclusion: str, tables: Sequence[Any], agreement: str) -> None:
    from analytics.reporting.console import print_table

    console = Console()
    for table in tables:
        print_table(table, console)
    for text in (conclusion, agreement):
        console.print(escape(text))


def _renamed(texts: Sequence[str] | None, known: Collection[str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for text in texts or ():
        ours, found, theirs = text.partition("=")
        if not (found and theirs) or ours not in known:
            raise InvalidRequest(
                f"--column wants OURS=THEIRS with ours one of {', '.join(known)}, got {text!r}"
            )
        renamed[ours] = theirs
    return renamed
