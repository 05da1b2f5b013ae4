"""The door to `analytics.judgement`: every style judged by eye, by measure and by behaviour, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine as Database

from personalize.data.database import reading
from personalize.data.ratings import ClickSums, read_pair_ratings, read_score_ratings, read_style_clicks
from personalize.data.records import PairRating, ScoreRating, StyleOnOffer
from personalize.data.schema import ORIGINAL
from personalize.rendering import Measures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analytics.judgement import Agreement, Opinions, Pairs, Preference, Scores

ALPHA = 0.05
MEASURED = {
    "psnr_db": "psnr_db",
    "ssim": "ssim",
    "recognised": "recognised_rate",
    "identified": "identified_rate",
}


@dataclass(frozen=True)
class Figure:
    """One number with its 95 % interval, what it rests on, or why there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    why_none: str | None = None


@dataclass(frozen=True)
class StyleStanding:
    """One style, judged in three ways.

    Attributes:
        preferred: by eye: probability of being preferred to an average style; n comparisons.
        opinion: by eye: score from 1 to 5 by the average rater; n scores.
        psnr_db, ssim, recognised, identified: by measure: at the default strength.
        ctr: by behaviour: clicked impressions over impressions; n impressions.
    """

    style_id: str
    title: str
    preferred: Figure
    opinion: Figure
    psnr_db: Figure
    ssim: Figure
    recognised: Figure
    identified: Figure
    ctr: Figure


@dataclass(frozen=True)
class StylesJudged:
    """Every style on offer, the most surely clicked first, and what the three ways say of one another.

    Attributes:
        sentences: whether eye and measure agree with what shoppers click.
        notes: what a reader must know of the ratings.
    """

    standings: tuple[StyleStanding, ...]
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    n_comparisons: int
    n_scores: int
    n_raters: int


def judge_styles(
    database: Database,
    styles: Sequence[StyleOnOffer],
    measures: Measures,
    clicks: Mapping[str, ClickSums],
    *,
    network_version: str,
) -> StylesJudged:
    """Ratings of this network's renders, its measures, and what shoppers clicked, for each style on offer."""
    from analytics.judgement import agreement_on_pairs, opinions, prefer
    from analytics.judgement.tables import agreement_sentence

    with reading(database) as session:
        pairs = read_pair_ratings(session, network_version)
        scores = read_score_ratings(session, network_version)
    compared = _pairs(pairs)
    preference, opinion = prefer(compared), opinions(_scores(scores))
    agreement = agreement_on_pairs(compared, _texts(one.product_id for one in pairs))
    standings = [
        StyleStanding(
            style.style_id,
            style.title,
            _preferred(preference, style.style_id),
            _opinion(opinion, style.style_id),
            **_measured(measures, style.style_id),
            ctr=_click_through(clicks.get(style.style_id)),
        )
        for style in styles
    ]
    standings.sort(key=lambda one: (-_surely(one.ctr), one.style_id))
    return StylesJudged(
        standings=tuple(standings),
        sentences=tuple(_comparisons(standings)),
        notes=(*preference.notes, *opinion.notes, agreement_sentence(agreement)),
        n_comparisons=len(pairs),
        n_scores=len(scores),
        n_raters=len({one.rater_id for one in pairs} | {one.rater_id for one in scores}),
    )


def clicks_of_styles(database: Database, since: datetime) -> dict[str, ClickSums]:
    """What `judge_styles` knows of behaviour: one look over the log since then."""
    with reading(database) as session:
        return read_style_clicks(session, since=since)


def _surely(figure: Figure) -> float:
    """The lower end of the interval: a style shown a few times does not lead by luck."""
    return -1.0 if figure.low is None else figure.low


def _pairs(rated: Sequence[PairRating]) -> "Pairs":
    import numpy as np

    from analytics.judgement import LEFT, NEITHER, RIGHT, Pairs

    share_of_left = {"left": LEFT, "right": RIGHT, "neither": NEITHER}
    return Pairs(
        _texts(one.left_style_id for one in rated),
        _texts(one.right_style_id for one in rated),
        np.array([share_of_left[one.preferred_side] for one in rated], dtype=float),
        _texts(one.rater_id for one in rated),
    )


def _scores(rated: Sequence[ScoreRating]) -> "Scores":
    import numpy as np

    from analytics.judgement import Scores

    return Scores(
        _texts(one.style_id for one in rated),
        _texts(one.rater_id for one in rated),
        np.array([one.score for one in rated], dtype=float),
        _texts(one.product_id for one in rated),
    )


def _texts(values: Iterable[str]) -> "NDArray[Any]":
    import numpy as np

    return np.array(list(values), dtype=str)


def _preferred(preference: "Preference", style_id: str) -> Figure:
    one = preference.styles.get(style_id)
    if one is None:
        return Figure(why_none="nobody compared it yet")
    return Figure(one.preferred, one.preferred_low, one.preferred_high, one.comparisons)


def _opinion(opinions: "Opinions", style_id: str) -> Figure:
    one = opinions.styles.get(style_id)
    if one is None:
        return Figure(why_none="nobody scored it yet")
    low, high = (None if end is None else min(max(end, 1.0), 5.0) for end in (one.ci_low, one.ci_high))
    return Figure(one.score, low, high, one.n_scores, one.why_none)


def _measured(measures: Measures, style_id: str) -> dict[str, Figure]:
    found = measures.by_style.get(style_id)
    if found is None:
        why = "it is what the others are measured against" if style_id == ORIGINAL else measures.why_none
        return dict.fromkeys(MEASURED, Figure(why_none=why or "the report does not hold this style"))
    values = {ours: getattr(found, theirs) for ours, theirs in MEASURED.items()}
    return {
        ours: Figure(value, why_none=None if value is not None else "the report does not hold it")
        for ours, value in values.items()
    }


def _click_through(sums: ClickSums | None) -> Figure:
    from analytics.errors import InsufficientData
    from analytics.inference.ratio import ratio_from_sums
    from analytics.sums import Sums

    if sums is None:
        return Figure(why_none="it was not shown in this time")
    users, y, x, yy, xy, xx = sums
    try:
        known = ratio_from_sums(Sums(users, y, x, yy, xy, xx))
        if known.standard_error == 0:
            raise InsufficientData("all who saw it behaved alike")
    except InsufficientData as reason:
        return Figure(y / x if x else None, n=x, why_none=f"no interval: {reason}")
    low, high = known.interval(ALPHA)
    return Figure(known.value, max(low, 0.0), high, x)


def _comparisons(standings: Sequence[StyleStanding]) -> list[str]:
    """What eye and measure say of the clicks, one sentence each, by rank correlation over the styles."""
    from analytics.judgement import rank_agreement

    clicked = {one.style_id: one.ctr.value for one in standings}
    others: dict[str, Mapping[str, float | None]] = {
        "preference by eye": {one.style_id: one.preferred.value for one in standings},
        "score by eye": {one.style_id: one.opinion.value for one in standings},
        "recognisability": {one.style_id: one.recognised.value for one in standings},
        "likeness to the photo (SSIM)": {one.style_id: one.ssim.value for one in standings},
    }
    return [_sentence(name, rank_agreement(values, clicked, ALPHA)) for name, values in others.items()]


def _sentence(name: str, agreement: "Agreement") -> str:
    subject = f"{name[:1].upper()}{name[1:]}"
    if agreement.value is None:
        return f"{subject} and clicks: not known yet, {agreement.why_none}."
    interval = ""
    verdict = ""
    if agreement.ci_low is not None and agreement.ci_high is not None:
        interval = f" ({_signed(agreement.ci_low)} to {_signed(agreement.ci_high)})"
        if agreement.ci_low <= 0.0 <= agreement.ci_high:
            verdict = ", which chance could have made"
    return (
        f"{subject} and clicks: rank correlation {_signed(agreement.value)}{interval} over "
        f"{agreement.n_units} styles{verdict}."
    )


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")
