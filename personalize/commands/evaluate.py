"""`personalize evaluate`: which ranker would have served a log's users best."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from personalize.commands.options import AsJson, console, print_json

if TYPE_CHECKING:
    from personalize.evaluate import Comparison


class Split(StrEnum):
    TIME = "time"
    LAST = "last"


def evaluate(
    events: Annotated[Path, typer.Option(help="CSV, JSON lines or Parquet, as `events import` reads it.")],
    split: Annotated[
        Split, typer.Option(help="time: hold the latest events back; last: each user's last like.")
    ] = Split.TIME,
    test_share: Annotated[float, typer.Option(min=0.01, max=0.9, help="Held back, with --split time.")] = 0.2,
    k: Annotated[int, typer.Option("--k", min=1, help="Places that count.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the training and of what is drawn at random.")] = 0,
    towers: Annotated[
        bool, typer.Option("--towers", help="Compare the torch towers too, alone and stacked; takes longer.")
    ] = False,
    looks: Annotated[
        Path | None,
        typer.Option(help='JSON file of content vectors by style_id, for the towers: {"snow": [0.1, 0.9]}.'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train on a log's earlier part, judge on the later: ours, popularity, item-kNN and EASE in one run."""
    from personalize.evaluate import compare_rankers, read_looks

    with console.status("training and judging"):
        comparison = compare_rankers(
            events,
            split=split.value,
            test_share=test_share,
            k=k,
            seed=seed,
            towers=towers,
            looks=None if looks is None else read_looks(looks),
        )
    if as_json:
        print_json(comparison.to_dict())
    else:
        _print(comparison)


def _print(comparison: "Comparison") -> None:
    from rich.table import Table

    answer = comparison.to_dict()
    models = answer["models"]
    table = Table("ranker", *next(iter(models.values())))
    for name, metrics in models.items():
        table.add_row(name, *(_cell(**mean) for mean in metrics.values()))
    console.print(table)
    console.print(
        f"{comparison.n_cases:,} users judged by, {comparison.n_train:,} events learned from, "
        f"{comparison.n_styles:,} styles; mean over users (95 % interval)",
        highlight=False,
        soft_wrap=True,
    )
    for claim in comparison.claims:
        console.print(
            f"{claim.better} orders better than {claim.worse}: NDCG@{comparison.k} +{claim.difference:.4f} "
            f"({claim.ci_low:+.4f} to {claim.ci_high:+.4f}, all pairs taken together)",
            highlight=False,
            soft_wrap=True,
        )
    if not comparison.claims:
        console.print("no ranker is surely better than another on this log")
    for note in comparison.notes:
        console.print(f"note: {note}", highlight=False, soft_wrap=True)


def _cell(value: float | None, ci_low: float | None, ci_high: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if ci_low is None else f"{value:.4f} ({ci_low:.3f} to {ci_high:.3f})"
