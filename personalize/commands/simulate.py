"""`personalize simulate`: every policy in worlds of which the truth is known."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from personalize.commands.options import AsJson, console, print_json

if TYPE_CHECKING:
    from personalize.simulate.arena import Result


def simulate(
    worlds: Annotated[
        str, typer.Option(help="Worlds, by comma, or `all`; `--worlds help` lists them.")
    ] = "plain",
    policies: Annotated[
        str, typer.Option(help="Policies, by comma.")
    ] = "personal,linucb,beta-thompson,popularity,random",
    impressions: Annotated[int, typer.Option(min=1000, help="Impressions per run.")] = 200_000,
    seeds: Annotated[str, typer.Option(help="Seeds, by comma; each is another draw of the world.")] = "1,2,3",
    curves: Annotated[Path | None, typer.Option(help="Folder for an SVG of the learning curves.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure policies where the truth is known: capture, regret, exposure of new styles."""
    from personalize.simulate.contestants import NAMES
    from personalize.simulate.latent import WORLDS
    from personalize.simulate.report import draw_curves, summarise

    wanted = _chosen(worlds, tuple(WORLDS), "--worlds")
    players = _chosen(policies, NAMES, "--policies")
    results = _run_all(wanted, players, _seeds(seeds), impressions)
    if curves is not None:
        curves.mkdir(parents=True, exist_ok=True)
        for world in wanted:
            (curves / f"{world}.svg").write_text(draw_curves(results, world), encoding="utf-8")
    summary = summarise(results)
    if as_json:
        print_json(
            {
                "impressions": impressions,
                "summary": summary,
                "runs": [result.to_dict() for result in results],
            }
        )
        return
    _print(summary)


def _run_all(worlds: list[str], policies: list[str], seeds: list[int], impressions: int) -> "list[Result]":
    from rich.progress import Progress

    from personalize.simulate.arena import run
    from personalize.simulate.latent import WORLDS

    jobs = [(world, policy, seed) for world in worlds for policy in policies for seed in seeds]
    results = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("simulating", total=len(jobs) * impressions)
        for n, (world, policy, seed) in enumerate(jobs):
            progress.update(task, description=f"{world}, {policy}, seed {seed}")

            def tell(done: int, before: int = n * impressions) -> None:
                progress.update(task, completed=before + done)

            results.append(run(WORLDS[world], policy, seed, n_impressions=impressions, progress=tell))
    return results


def _print(summary: list[dict[str, object]]) -> None:
    from rich.table import Table

    table = Table("world", "policy", "capture", "late", "click rate", "over random", "over bar", "new styles")
    for row in summary:
        table.add_row(
            str(row["world"]),
            str(row["policy"]),
            _number(row["capture"], ".3f"),
            _number(row["late_capture"], ".3f"),
            _number(row["click_rate"], ".3%"),
            _number(row["against_random"], "+.1%"),
            _number(row["against_bar"], "+.1%"),
            _number(row["new_style_share"], ".2f"),
        )
    console.print(table)
    console.print(
        "capture: share of the possible gain over random; bar: the better of LinUCB and popularity; "
        "new styles: exposure after launch over what the best choice gives them."
    )


def _number(value: object, form: str) -> str:
    return "-" if value is None else format(value, form)


def _chosen(text: str, known: tuple[str, ...], option: str) -> list[str]:
    names = list(known) if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise typer.BadParameter(f"there are {', '.join(known)}; got {text!r}", param_hint=option)
    return names


def _seeds(text: str) -> list[int]:
    try:
        return [int(seed) for seed in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"give whole numbers by comma; got {text!r}", param_hint="--seeds") from None
