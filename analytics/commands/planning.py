"""`analytics power`: how many users the next experiment needs, or how small an uplift it can show."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from analytics.commands.asked import Alpha, AsJson, Covariates, read_measures
from analytics.commands.options import Where, takes_options
from analytics.errors import InvalidRequest, UnknownVariant


@takes_options
def power(
    where: Where,
    variant: Annotated[str | None, typer.Option(help="Whose users to plan from.")] = None,
    uplift: Annotated[
        list[float] | None, typer.Option(help="Relative uplift to find, 0.05 for 5%. Repeat for more.")
    ] = None,
    treatment_share: Annotated[
        float, typer.Option(min=0.001, max=0.999, help="Its share of the users.")
    ] = 0.5,
    chance: Annotated[float, typer.Option("--power", min=0.01, max=0.999, help="Chance to find it.")] = 0.8,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME=A/B", help="Sum of A over sum of B; B may be `users`.")
    ] = "ctr=clicks/impressions",
    covariate: Covariates = None,
    alpha: Alpha = 0.05,
    as_json: AsJson = False,
) -> None:
    """Plan an experiment from the users of a past one: how many users, or how small an uplift."""
    from analytics.experiment import default_control
    from analytics.inference.power import Baseline, plan
    from analytics.question import Question
    from analytics.reading import read_source
    from analytics.sums import merged

    if 0 in where.users_planned:
        raise InvalidRequest("an experiment needs users; ask for at least 1")
    if 0 in (uplift or ()):
        raise InvalidRequest("an uplift of 0 can never be found; ask for one above or below it")
    wanted = read_measures([metric], covariate)[0].metric
    question = Question(wanted.columns, events=wanted.event_columns)
    data = read_source(where.source(), where.experiment or "", question, where.cleaning(), None)
    moments = merged((group.variant, m) for group, m in data.groups.items())
    name = variant or default_control(moments)
    if name not in moments:
        raise UnknownVariant(name, moments)
    baseline = Baseline.of_metric(moments[name], wanted)
    found = plan(
        baseline,
        uplift or (),
        where.users_planned,
        alpha=alpha,
        power=chance,
        treatment_share=treatment_share,
    )
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2, allow_nan=False))
        return
    from rich.console import Console

    from analytics.reporting.console import print_plan

    print_plan(found, name, wanted, Console())


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(power)
