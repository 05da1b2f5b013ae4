"""What the commands ask of an experiment: which metrics, and how they are compared; each option once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from analytics.commands.options import Where
from analytics.errors import InvalidRequest
from analytics.measures import Measure, Role
from analytics.metrics import Covariate

if TYPE_CHECKING:
    from analytics.experiment import Experiment, LookPlan
    from analytics.outcome import Result

Covariates = Annotated[
    list[str] | None,
    typer.Option(
        "--covariate",
        metavar="A/B",
        help="What users did before, such as pre_clicks/pre_impressions or pre_clicks: a narrower interval "
        "(CUPED). Repeat for more.",
    ),
]
Segments = Annotated[
    list[str] | None,
    typer.Option("--segment", help="Column whose values are compared one by one. Repeat for more."),
]
Alpha = Annotated[float, typer.Option(min=1e-9, max=0.5, help="Chance of a false finding to accept.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@dataclass(frozen=True)
class Measured:
    """The options that say what is measured; one parameter of a command each."""

    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A/B",
            help="Sum of A over sum of B; B may be `users`. Where rows are impressions, also "
            "NAME=p95(COLUMN), a quantile. Write -A/B where an increase is bad. Repeat for more; the first "
            "is the goal. Default: those of the definition, else ctr=clicks/impressions.",
        ),
    ] = None
    cap: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            max=0.999999,
            help="Winsorise: sums of A above this quantile of all users count as that quantile, such as "
            "0.999.",
        ),
    ] = None
    covariate: Covariates = None

    def measures(self) -> list[Measure]:
        """What is asked for; without any, nothing, which leaves it to the definition.

        Raises:
            InvalidRequest: a text that does not read as a metric, a margin or a covariate.
        """
        goals = self.metric or (["ctr=clicks/impressions"] if self._narrows_it_down else None)
        return [replace(found, cap=self.cap) for found in read_measures(goals, self.covariate)]

    @property
    def _narrows_it_down(self) -> bool:
        return bool(self.covariate or self.cap)


@dataclass(frozen=True)
class Asked(Measured):
    """The same with how it is compared: everything that `analyze` takes."""

    guardrail: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A/B[:MARGIN]",
            help="A metric that must not get worse; with a margin such as 0.02 a variant is shipped only "
            "when it is shown to be at most that share worse. Write -A/B where an increase is bad. Repeat "
            "for more.",
        ),
    ] = None
    control: Annotated[str | None, typer.Option(help="Default: the variant `control`, else `original`.")] = (
        None
    )
    segment: Segments = None
    correction: Annotated[
        Literal["holm", "bh", "none"], typer.Option(help="For several metrics, variants and segments.")
    ] = "holm"
    look: Annotated[
        str,
        typer.Option(help="fixed; anytime (look when you like); obf:14 or obf:14:3 (planned, the third)."),
    ] = "fixed"
    alpha: Alpha = 0.05
    planned_users: Annotated[
        int, typer.Option(min=2, help="Users of two variants at the end; tunes the any-time interval.")
    ] = 10_000

    def measures(self) -> list[Measure]:
        return super().measures() + read_measures(self.guardrail, None, "guardrail")

    def analyze(self, where: Where, pairs: Any = "control") -> Result:
        """The answer.

        Raises:
            InvalidRequest: an option that does not say what it should, or options that do not fit together.
        """
        return experiment(where, self.measures(), self.control).analyze(
            _look(self.look),
            correction=self.correction,
            segments=self.segment or (),
            alpha=self.alpha,
            planned_users=self.planned_users,
            pairs=pairs,
        )

    @property
    def _narrows_it_down(self) -> bool:
        return bool(super()._narrows_it_down or self.guardrail)


def experiment(where: Where, measures: Sequence[Measure], control: str | None = None) -> Experiment:
    """The experiment that the options name."""
    from analytics.definition import read_definition
    from analytics.experiment import Experiment

    source = where.source()
    definition = read_definition(where.definition) if where.definition else None
    name = where.experiment or (definition.name if definition else "")
    return Experiment(name, source, measures, control, where.shares(), definition, where.cleaning())


def read_measures(
    texts: Sequence[str] | None, covariates: Sequence[str] | None, role: Role = "goal"
) -> list[Measure]:
    """The metrics of the options, each with the covariates.

    Raises:
        InvalidRequest: a text that does not read as a metric, a margin or a covariate.
    """
    try:
        adjusting = tuple(Covariate.parse(text) for text in covariates or ())
        measures = [Measure.parse(text, role) for text in texts or ()]
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    return [replace(m, metric=replace(m.metric, covariates=adjusting)) for m in measures]


def _look(text: str) -> LookPlan:
    from analytics.experiment import OBF

    kind, *numbers = text.split(":")
    if kind in ("fixed", "anytime") and not numbers:
        return "fixed" if kind == "fixed" else "anytime"
    if kind != "obf" or not 1 <= len(numbers) <= 2 or not all(n.isdigit() and int(n) for n in numbers):
        raise InvalidRequest(f"--look reads fixed, anytime, obf:14 or obf:14:3, not {text!r}")
    looks, look = int(numbers[0]), int(numbers[-1])
    if look > looks:
        raise InvalidRequest(f"--look {text}: there is no look {look} among {looks}")
    return OBF(looks, look)
