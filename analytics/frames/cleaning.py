"""The cleaning rules on data frames, for files and notebooks; `analytics.cleaning` says what they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analytics.cleaning import (
    BAD_TIME,
    BLANKS,
    BOT,
    DROPPED,
    DUPLICATE,
    EARLY,
    IMPRESSION_RULES,
    LATE,
    MISSING,
    MIXED,
    ORPHAN,
    OTHER_CURRENCY,
    OUTSIDE,
    REPEATED,
    Cleaning,
    Funnel,
    LogFunnel,
    by_name,
)
from analytics.errors import InvalidRequest
from analytics.frames.currencies import amounts, currencies_of, in_other_currency

if TYPE_CHECKING:
    import pandas as pd

Reasons = NDArray[np.int8]
Numbers = NDArray[np.int64]

NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True)
class CleanFrame:
    """The impressions that count, and what became of all rows.

    Attributes:
        rows: user, variant, where times are known `day` and the sums of that row's outcomes.
        columns: the quantities among them.
        currencies: of the purchases that count, where they name some and the rules name none.
    """

    rows: pd.DataFrame
    columns: tuple[str, ...]
    funnel: Funnel
    currencies: tuple[str, ...] = ()


def clean(impressions: pd.DataFrame, outcomes: Mapping[str, pd.DataFrame], cleaning: Cleaning) -> CleanFrame:
    """One row an impression that counts.

    Args:
        impressions: user, variant and, where known, impression_id, shown_at and clicked (0 or 1).
        outcomes: quantity (`clicks` counts once an impression) -> impression_id and, where known,
            event_id, at, value and currency; a value is added up as the quantity `revenue`.
    Raises:
        InvalidRequest: outcomes without impression ids, or `two_variants="first"` without times.
        MissingColumns: the rules name a currency, and values do not.
    """
    shown = _read_impressions(impressions, cleaning)
    sums: dict[str, NDArray[Any]] = {"impressions": np.ones(len(impressions), np.int64)}
    if "clicked" in impressions:
        sums["clicks"] = impressions["clicked"].to_numpy(np.int64)
    logs = []
    for name, frame in outcomes.items():
        own = _read_outcomes(frame, cleaning)
        place = _meet(own, frame, impressions, shown, is_once=name == "clicks", cleaning=cleaning)
        logs.append((name, own, place))
    reason = _judge_users(impressions, shown, cleaning)
    funnels = [_log_funnel("impressions", reason, IMPRESSION_RULES)]
    currencies: tuple[str, ...] = ()
    for name, own, place in logs:
        counts = own.reason == 0
        sums[name] = np.bincount(place[counts], minlength=len(reason)).astype(np.int64)
        if "value" in outcomes[name]:
            value = amounts(outcomes[name], cleaning)[counts]
            sums["revenue"] = np.bincount(place[counts], weights=value, minlength=len(reason))
        lost = counts.copy()
        lost[counts] = reason[place[counts]] != 0
        own.reason[lost] = DROPPED
        currencies += currencies_of(outcomes[name], own.reason == 0, cleaning)
        rows_of = np.bincount(own.reason).tolist()
        funnels.append(LogFunnel(name, len(own.reason), by_name(dict(enumerate(rows_of)))))
    kept = reason == 0
    rows = impressions.loc[kept, ["user", "variant"]].assign(**{k: v[kept] for k, v in sums.items()})
    if "shown_at" in impressions:
        rows["day"] = _days(shown.ms[kept])
    users = {rule: _n_users(impressions, reason == code) for rule, code in _USER_RULES.items()}
    return CleanFrame(rows, tuple(sums), Funnel(tuple(funnels), _n_pairs(rows), users), currencies)


def clean_totals(rows: pd.DataFrame, quantities: list[str], cleaning: Cleaning) -> CleanFrame:
    """The rows of the users who count, from a table of totals; several rows of one user are added up later.

    The funnel's log is `totals`, and its rules are missing_ids, two_variants and, where the totals have
    impressions, bots.

    Raises:
        InvalidRequest: `two_variants="first"`, which totals cannot tell.
    """
    own = _by_itself(rows, ["user", "variant"], "", cleaning, None)
    shown = rows["impressions"].to_numpy(float) if "impressions" in rows else np.zeros(len(rows))
    reason = _judge_users(rows, own, cleaning, weights=shown)
    kept = rows.loc[reason == 0, ["user", "variant", *quantities]]
    users = {rule: _n_users(rows, reason == code) for rule, code in _USER_RULES.items()}
    funnel = Funnel((_log_funnel("totals", reason, IMPRESSION_RULES),), _n_pairs(kept), users)
    return CleanFrame(kept, tuple(quantities), funnel)


_USER_RULES = {"two_variants": MIXED, "bots": BOT}


@dataclass(frozen=True)
class _Rows:
    """Reason and time of each row, in milliseconds since 1970."""

    reason: Reasons
    ms: Numbers


def _read_impressions(frame: pd.DataFrame, cleaning: Cleaning) -> _Rows:
    keys = [key for key in ("user", "variant", "impression_id") if key in frame]
    rows = _by_itself(frame, keys, "shown_at", cleaning, cleaning.stopped_at)
    if "impression_id" in frame and cleaning.duplicates != "keep":
        _mark_again(rows, frame["impression_id"], [frame["user"], frame["variant"]])
    return rows


def _read_outcomes(frame: pd.DataFrame, cleaning: Cleaning) -> _Rows:
    keys = [key for key in ("event_id", "impression_id") if key in frame]
    rows = _by_itself(frame, keys, "at", cleaning, cleaning.outcomes_stop_at)
    if "event_id" in frame and cleaning.duplicates != "keep":
        _mark_again(rows, frame["event_id"], [frame["impression_id"]])
    rows.reason[(rows.reason == 0) & in_other_currency(frame, cleaning)] = OTHER_CURRENCY
    return rows


def _by_itself(
    frame: pd.DataFrame, keys: list[str], time: str, cleaning: Cleaning, stopped_at: datetime | None
) -> _Rows:
    """The reasons that a row alone gives; a later assignment is an earlier rule."""
    reason = np.zeros(len(frame), np.int8)
    at = np.full(len(frame), NO_TIME)
    if time in frame:
        at = milliseconds(frame[time])
        if stopped_at is not None:
            reason[at >= _stamp(stopped_at)] = OUTSIDE
        if cleaning.started_at is not None:
            reason[at < _stamp(cleaning.started_at)] = OUTSIDE
        reason[at == NO_TIME] = BAD_TIME
    for key in keys:
        reason[is_blank(frame[key])] = MISSING
    return _Rows(reason, at)


def _mark_again(rows: _Rows, ids: pd.Series[Any], ties: list[pd.Series[Any]]) -> None:
    """Marks all but the earliest of the rows that could count and share an id."""
    could = np.flatnonzero((rows.reason == 0) & ids.duplicated(keep=False).to_numpy())
    order = _earliest_first(rows.ms, ties, could)
    again = ids.iloc[order].duplicated().to_numpy()
    rows.reason[order[again]] = DUPLICATE


def _earliest_first(at: Numbers, ties: list[pd.Series[Any]], which: NDArray[np.intp]) -> NDArray[np.intp]:
    texts = [np.array([str(name) for name in tie.iloc[which]], object) for tie in reversed(ties)]
    ranks = [np.unique(text, return_inverse=True)[1] for text in texts]
    return which[np.lexsort([*ranks, at[which]])]


def _meet(
    own: _Rows,
    frame: pd.DataFrame,
    impressions: pd.DataFrame,
    shown: _Rows,
    *,
    is_once: bool,
    cleaning: Cleaning,
) -> NDArray[np.intp]:
    """Writes the reasons that an outcome and its impression give; returns the impression's place, or -1."""
    import pandas as pd

    if "impression_id" not in impressions:
        raise InvalidRequest("clicks can only be joined to impressions that have an id; name its column")
    could = _first_shown(impressions, shown)
    ids = impressions["impression_id"].astype(object).iloc[could]
    found = pd.Index(ids).get_indexer(pd.Index(frame["impression_id"].astype(object)))
    place = np.append(could, -1)[found]
    own.reason[(own.reason == 0) & (place < 0)] = ORPHAN
    if "at" in frame and "shown_at" in impressions:
        met = np.flatnonzero(own.reason == 0)
        delay = own.ms[met] - shown.ms[place[met]]
        if cleaning.late != "keep":
            own.reason[met[delay > _ms(cleaning.attribution)]] = LATE
        if cleaning.early != "keep":
            own.reason[met[delay < -_ms(cleaning.clock_skew)]] = EARLY
    if is_once and cleaning.repeated != "keep":
        could = np.flatnonzero(own.reason == 0)
        ties = [frame["event_id"]] if "event_id" in frame else []
        order = _earliest_first(own.ms, ties, could)
        again = pd.Series(place[order]).duplicated().to_numpy()
        own.reason[order[again]] = REPEATED
    return np.asarray(place, np.intp)


def _first_shown(impressions: pd.DataFrame, shown: _Rows) -> NDArray[np.intp]:
    """The rows that passed by themselves, of each id the earliest."""
    could = np.flatnonzero(shown.reason == 0)
    ids = impressions["impression_id"]
    if not ids.iloc[could].duplicated().any():
        return could
    order = _earliest_first(shown.ms, [impressions["user"], impressions["variant"]], could)
    return order[~ids.iloc[order].duplicated().to_numpy()]


def _judge_users(
    impressions: pd.DataFrame,
    shown: _Rows,
    cleaning: Cleaning,
    weights: NDArray[np.float64] | None = None,
) -> Reasons:
    """The reasons once the users are judged: seen in several variants, or too busy.

    Args:
        weights: (n,), the impressions that each row stands for; one without it.
    """
    reason = shown.reason.copy()
    could = np.flatnonzero(reason == 0)
    users = impressions["user"].iloc[could].astype("category").cat.codes.to_numpy()
    variants = impressions["variant"].iloc[could].astype(str).to_numpy()
    names, variant = np.unique(variants, return_inverse=True)
    pair = users.astype(np.int64) * max(len(names), 1) + variant
    found, first_row, row_pair, n_rows = np.unique(
        pair, return_index=True, return_inverse=True, return_counts=True
    )
    pair_user = users[first_row]
    pair_reason = np.zeros(len(found), np.int8)
    n_shown = n_rows if weights is None else np.bincount(row_pair, weights[could], minlength=len(found))
    if cleaning.bot_bound is not None:
        pair_reason[n_shown > cleaning.bot_bound] = BOT
    if cleaning.two_variants != "keep" and len(found):
        n_variants = np.bincount(pair_user)
        mixed = n_variants[pair_user] > 1
        if cleaning.two_variants == "first" and mixed.any():
            mixed &= ~_is_first_pair(shown.ms[could], row_pair, pair_user, variant[first_row])
        pair_reason[mixed] = MIXED
    reason[could] = pair_reason[row_pair]
    return reason


def _is_first_pair(
    at: Numbers, row_pair: NDArray[np.intp], pair_user: NDArray[Any], pair_variant: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Of each user's pairs the one that was seen first; of two at once the first by name."""
    if (at == NO_TIME).any():
        raise InvalidRequest("which variant came first is not known without times; name their column")
    first_at = np.full(len(pair_user), np.iinfo(np.int64).max)
    np.minimum.at(first_at, row_pair, at)
    order = np.lexsort([pair_variant, first_at, pair_user])
    is_first = np.zeros(len(pair_user), bool)
    _, starts = np.unique(pair_user[order], return_index=True)
    is_first[order[starts]] = True
    return is_first


def milliseconds(values: pd.Series[Any]) -> Numbers:
    """Milliseconds since 1970 in UTC; NO_TIME where the value does not read as a time."""
    import pandas as pd

    times = pd.to_datetime(values, utc=True, errors="coerce", format="ISO8601")
    at = times.dt.as_unit("us").astype("int64").to_numpy()
    return np.where(times.isna(), NO_TIME, np.floor_divide(at + 500, 1000))


def is_blank(values: pd.Series[Any]) -> NDArray[np.bool_]:
    """Null, or nothing but blanks; looked at once for each distinct id where there are few of them."""
    if values.dtype == "category":
        blank = np.array([str(label).strip(BLANKS) == "" for label in values.cat.categories] + [True])
        return blank[values.cat.codes]
    text = values.astype(object)
    return np.fromiter(
        (
            is_null or str(value).strip(BLANKS) == ""
            for value, is_null in zip(text, values.isna(), strict=True)
        ),
        bool,
        len(text),
    )


def _log_funnel(name: str, reason: Reasons, rules: tuple[str, ...]) -> LogFunnel:
    counts = np.bincount(reason, minlength=len(rules) + 1)
    return LogFunnel(name, len(reason), {rule: int(counts[i]) for i, rule in enumerate(rules, 1)})


def _n_users(impressions: pd.DataFrame, which: NDArray[np.bool_]) -> int:
    return len(impressions.loc[which, ["user", "variant"]].drop_duplicates())


def _n_pairs(rows: pd.DataFrame) -> int:
    return len(rows[["user", "variant"]].drop_duplicates())


def _days(at: Numbers) -> NDArray[np.str_]:
    return np.datetime_as_string(at.astype("datetime64[ms]"), unit="D")


def _stamp(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _ms(duration: timedelta) -> int:
    return duration // timedelta(milliseconds=1)
