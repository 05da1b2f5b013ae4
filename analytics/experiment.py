"""The front door: an experiment and where its data are; `analyze` gives a Result with everything by name.

experiment = Experiment("style_2026_03", Tables(events="E.parquet"), metrics=["ctr=clicks/impressions"])
result = experiment.analyze(look="anytime", correction="holm", segments=["device"])
result["personal", "ctr"].relative, result.srm, result.funnel, result.decision
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from analytics.cleaning import Cleaning
from analytics.compare import Pairs, compare
from analytics.definition import Definition
from analytics.effects import pair_effects, segment_effects
from analytics.errors import InsufficientData, InvalidRequest, UnknownVariant
from analytics.inference.aa import AaTest, aa_test
from analytics.inference.corrections import Correction
from analytics.inference.sequential import FIXED, PLANNED_USERS, Anytime, Look, PlannedLooks
from analytics.inference.winsor import capped
from analytics.measures import Measure
from analytics.metrics import CTR, Metric
from analytics.outcome import Result
from analytics.question import Question
from analytics.reading import Data, Source, read_source
from analytics.sums import merged

CONTROL_NAMES = ("control", "original")
"""What the variant without the change is usually called."""


@dataclass(frozen=True)
class OBF:
    """Planned looks with O'Brien-Fleming's boundaries.

    Attributes:
        looks: how many were planned, with equally many new users before each.
        look: which of them this is, from 1; without it the last.
    """

    looks: int
    look: int | None = None


LookPlan = Literal["fixed", "anytime"] | OBF | Look


@dataclass(frozen=True)
class Experiment:
    """An experiment, and where its data are.

    Args:
        name: as the database knows it.
        source: a database, files or data frames, units, or sums by variant.
        metrics: `Metric`s, `Measure`s (a metric with a role) or text such as "ctr=clicks/impressions" and
            "load=-p95(page_ms)", with `-` where an increase is bad; without any, those of the definition,
            or click-through.
        control: by default the variant `control`, or else `original`.
        plan: planned shares by variant; by default those of the definition.
        definition: by default the one that the database holds.
        cleaning: the rules by which rows count.
    """

    name: str
    source: Source
    metrics: Sequence[Metric | Measure | str] = ()
    control: str | None = None
    plan: Mapping[str, float] | None = None
    definition: Definition | None = None
    cleaning: Cleaning = field(default_factory=Cleaning)

    def analyze(
        self,
        look: LookPlan = "fixed",
        *,
        correction: Correction = "holm",
        segments: Sequence[str] = (),
        alpha: float = 0.05,
        planned_users: int = PLANNED_USERS,
        pairs: Pairs = "control",
    ) -> Result:
        """Compare every variant with the control, in every metric and every segment.

        Data that cannot carry an answer give effects whose numbers are None and whose `why_none` says why.

        Args:
            look: "fixed" for one look at a time chosen beforehand, "anytime" to look whenever one likes,
                OBF(looks=14) for planned looks.
            correction: over all metrics and variants together, and once more over all of them within all
                segments; "holm", "bh" (false discovery rate) or "none".
            planned_users: users of two variants at the end, which tunes the any-time interval.
            pairs: "control", "all", or (treatment, control) by name; the result names a pair without the
                control `treatment_vs_control`.
        Raises:
            UnknownVariant: the control has neither users nor a planned share, or has to be named.
            MissingColumns: what a metric is made of, or a segment, is not in the data.
            NoEvents: a quantile, of a source that holds sums alone.
            InvalidRequest: two metrics of one name, or a cap on a quantile.
        """
        measures, data = self._sums(segments)
        shares = self.plan or (data.definition.variants if data.definition else None)
        moments = merged((group.variant, m) for group, m in data.groups.items())
        control = self.control or default_control({*moments, *(shares or {})})
        chosen = _look(look, planned_users)
        comparisons = {
            m.metric.name: compare(
                moments,
                control=control,
                metric=m.metric,
                pairs=pairs,
                shares=shares,
                alpha=alpha,
                planned_users=planned_users,
                experiment=self.name,
                look=chosen,
            )
            for m in measures
        }
        effects = pair_effects(comparisons, measures, moments, control, correction)
        return Result(
            name=self.name,
            measures=tuple(measures),
            control=control,
            alpha=alpha,
            look=chosen,
            correction=correction,
            comparisons=comparisons,
            effects=effects,
            srm=next(iter(comparisons.values())).srm,
            shares=shares,
            funnel=data.funnel,
            cleaning=self.cleaning if data.definition is None else self.cleaning.within(data.definition),
            came_from=data.came_from,
            segments=segment_effects(
                data.groups, measures, control, shares, segments, correction, alpha, chosen
            ),
            days_of=data.days,
            trends_of=data.trends,
        )

    def aa(
        self, metric: str | None = None, *, variant: str | None = None, runs: int = 1000, seed: int = 0
    ) -> AaTest:
        """A/A mode: is the metric sound? The users of one variant, split at random again and again.

        Args:
            metric: by name; the first when none is named.
            variant: whose users; the control's when none is named.
        Raises:
            InvalidRequest: there is no such metric, or the source holds nothing but sums.
            UnknownVariant: there are users, but none in the variant.
        """
        measures, data = self._sums(())
        known = {m.metric.name: m.metric for m in measures}
        name = metric or next(iter(known))
        if name not in known:
            raise InvalidRequest(f"there is no metric {name!r}, only {', '.join(map(repr, known))}")
        units = data.units(known[name].columns)
        whose = variant or self.control or default_control(units.variant)
        here = units.variant == whose
        if len(here) and not here.any():
            raise UnknownVariant(whose, set(units.variant.tolist()))
        return aa_test(
            units.of_rows(np.flatnonzero(here)), known[name], np.random.default_rng(seed), runs=runs
        )

    def _sums(self, segments: Sequence[str]) -> tuple[list[Measure], Data]:
        """The measures, those of the definition where none were given, with their caps; and the sums."""
        measures = self._measures(self.definition)
        data = self._read(measures, segments)
        if not self.metrics and data.definition is not None and self.definition is None:
            measures = self._measures(data.definition)
            if any(m.metric.columns != CTR.columns or m.metric.event_columns for m in measures):
                data = self._read(measures, segments)
        if any(m.cap is not None for m in measures):
            measures = [_capped(m, data) for m in measures]
            data = self._read(measures, segments)
        return measures, data

    def _read(self, measures: Sequence[Measure], segments: Sequence[str]) -> Data:
        columns = dict.fromkeys(name for m in measures for name in m.metric.columns)
        events = dict.fromkeys(name for m in measures for name in m.metric.event_columns)
        question = Question(tuple(columns), tuple(segments), tuple(events))
        data = read_source(self.source, self.name, question, self.cleaning, self.definition)
        return data if self.definition is None else replace(data, definition=self.definition)

    def _measures(self, definition: Definition | None) -> list[Measure]:
        by_definition = [Measure(CTR)] if definition is None else definition.measures()
        measures = [_measure(given) for given in self.metrics or by_definition]
        names = [m.metric.name for m in measures]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidRequest(f"there are two metrics called {twice!r}; name each differently")
        return measures


def default_control(names: Iterable[str]) -> str:
    """The variant called `control`, else the one called `original`.

    Not the first of the plan: a database may store its JSON in another order.

    Raises:
        UnknownVariant: there is neither, so the caller has to choose.
    """
    known = set(names)
    for name in CONTROL_NAMES:
        if name in known or not known:
            return name
    raise UnknownVariant(CONTROL_NAMES[0], known)


def _measure(given: Metric | Measure | str) -> Measure:
    if isinstance(given, Measure):
        return given
    if isinstance(given, Metric):
        return Measure(given)
    try:
        return Measure.parse(given)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _look(look: LookPlan, planned_users: int) -> Look:
    if look == "fixed":
        return FIXED
    if look == "anytime":
        return Anytime(planned_users)
    if isinstance(look, OBF):
        return PlannedLooks.evenly(look.looks, look.look or look.looks)
    if isinstance(look, str):
        raise InvalidRequest(f'a look is "fixed", "anytime" or OBF(looks=14), not {look!r}')
    return look


def _capped(measure: Measure, data: Data) -> Measure:
    """The measure with its numerator capped at the quantile of all variants together."""
    metric = measure.metric
    if measure.cap is None:
        return measure
    if metric.quantile is not None:
        raise InvalidRequest(f"{metric.name!r} is a quantile, which a few large values do not move: cap none")
    try:
        return replace(measure, metric=capped(metric, data.value_at(metric.numerator, measure.cap)))
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    except InsufficientData:
        return measure
