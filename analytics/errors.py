"""Every error that analytics raises on purpose, one sentence each."""

from collections.abc import Iterable
from datetime import timedelta


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names)) or "none"


class AnalyticsError(Exception):
    """Base of all; its text is fit to show to a user as it stands."""


class InvalidRequest(AnalyticsError):
    """Options that do not fit together, or a text that does not say what it should."""


class UnreadableSource(AnalyticsError):
    """A file or database that cannot be opened, or does not hold what it should."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"{source}: {reason}")
        self.source = source
        self.reason = reason


class InvalidDefinition(AnalyticsError, ValueError):
    """An experiment that cannot be as it was defined."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"experiment {name!r}: {problem}")
        self.name = name
        self.problem = problem


class MissingColumns(AnalyticsError):
    """A table without the columns that the analysis needs."""

    def __init__(self, source: str, missing: Iterable[str], found: Iterable[str]) -> None:
        self.source = source
        self.missing = tuple(missing)
        self.found = tuple(found)
        super().__init__(
            f"{source} has no column {_listed(self.missing)}, it has {_listed(self.found)}; "
            "name the right ones with the column options"
        )


class NoEvents(InvalidRequest):
    """A quantile of single events was asked of data that hold no more than sums of them."""

    def __init__(self, columns: Iterable[str], source: str) -> None:
        self.columns = tuple(columns)
        super().__init__(
            f"a quantile of {_listed(self.columns)} is taken over single impressions, and {source} only "
            "their sums; give one row an impression: events, impressions, or the raw logs of a database"
        )


class SeveralCurrencies(AnalyticsError):
    """Amounts in several currencies, and nobody said which one counts."""

    def __init__(self, quantity: str, currencies: Iterable[str]) -> None:
        self.quantity = quantity
        self.currencies = tuple(sorted(currencies))
        first, second, *_ = self.currencies
        all_of_them = f"{', '.join(self.currencies[:-1])} and {self.currencies[-1]}"
        super().__init__(
            f"{quantity} would add up amounts in {all_of_them}; name the currency that counts, such as "
            f"--currency {first}, and a rate for each that is to be converted, such as --rate {second}=RATE "
            "(Cleaning(currency=..., rates=...) in Python)"
        )


class InvalidRows(AnalyticsError):
    """Rows that cannot be counted without guessing what they mean."""

    def __init__(self, source: str, n_rows: int, problem: str, remedy: str) -> None:
        super().__init__(f"{source}: {n_rows} {'row' if n_rows == 1 else 'rows'} {problem}; {remedy}")
        self.source = source
        self.n_rows = n_rows


class UnknownExperiment(AnalyticsError):
    """No row of the database belongs to an experiment of this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"there is no experiment {name!r}, only {_listed(self.known)}; name one of these")


class UnknownRollup(AnalyticsError):
    """The rollup of an experiment was never refreshed, or was made for another definition."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"the rollup of experiment {name!r} {problem}; refresh it first")
        self.name = name


class RollupTaken(AnalyticsError):
    """Two refreshes of one rollup at once, with different rules."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"another refresh began the rollup of experiment {name!r} anew with other rules or another "
            "window; refresh it with one set of them"
        )


class DatabaseBusy(AnalyticsError):
    """Somebody else writes to the database for long."""

    def __init__(self, waited: timedelta) -> None:
        super().__init__(
            f"the database was locked for {waited.total_seconds():g} seconds, perhaps by another refresh; "
            "try again"
        )


class UnknownVariant(AnalyticsError):
    """A variant was asked for that has neither users nor a planned share."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"there is no variant {name!r}, only {_listed(self.known)}; name one of these")


class UnknownStyle(AnalyticsError):
    """A style was asked for that nobody judged."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"nobody judged {name!r}, only {_listed(self.known)}; name one of these")


class InsufficientData(AnalyticsError):
    """Too little to compute the quantity from; `compare` turns it into a reason."""
