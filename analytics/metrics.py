"""What is compared: one additive quantity per unit of another, or a quantile of single events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

USERS = "users"
"""The column that is 1 for every user, so that `clicks/users` is a mean per user."""

IMPRESSIONS = "impressions"
"""The events that a quantile is taken over."""

MONEY = "revenue"


@dataclass(frozen=True)
class Covariate:
    """Something known of a user before the experiment that foretells the metric: a mean or a ratio."""

    numerator: str
    denominator: str = USERS

    @property
    def name(self) -> str:
        """`pre_clicks`, or `pre_clicks/pre_impressions`."""
        return self.numerator if self.denominator == USERS else f"{self.numerator}/{self.denominator}"

    @classmethod
    def parse(cls, text: str) -> Covariate:
        """A covariate from `numerator/denominator` or a column alone.

        Raises:
            ValueError: the text has another form.

        >>> Covariate.parse("pre_clicks/pre_impressions").denominator
        'pre_impressions'
        """
        parts = [part.strip() for part in text.split("/")]
        if len(parts) > 2 or not all(parts):
            raise ValueError(f"a covariate reads pre_clicks/pre_impressions or pre_clicks, not {text!r}")
        return cls(*parts)


@dataclass(frozen=True)
class Quantile:
    """A quantile of a column of single events, named as it is made: p95(page_ms).

    Attributes:
        level: the share of the events at or below it, in (0, 1).
    """

    column: str
    level: float

    @property
    def name(self) -> str:
        """The name that `parse` reads back."""
        return f"p{(Decimal(repr(self.level)) * 100).normalize():f}({self.column})"

    @classmethod
    def parse(cls, name: str) -> Quantile | None:
        """What a name says, or None when it names no quantile.

        Raises:
            ValueError: a level that is not between 0 and 100.

        >>> Quantile.parse("p99.9(page_ms)")
        Quantile(column='page_ms', level=0.999)
        """
        match = re.fullmatch(r"p(\d+(?:\.\d+)?)\(([^(),]+)\)", name)
        if match is None:
            return None
        level = float(f"{match[1]}e-2")
        if not 0.0 < level < 1.0:
            raise ValueError(f"a quantile reads p95(page_ms), with a level between 0 and 100, not {name!r}")
        return cls(match[2].strip(), level)


@dataclass(frozen=True)
class Metric:
    """The sum of `numerator` over the sum of `denominator`, both columns of the unit table.

    Click-through is clicks per impression; a mean per user is a ratio whose denominator is `users`.
    The columns may be derived ones, such as `any(purchases)`; see `derived`.
    A numerator such as `p95(page_ms)` makes it a quantile of single impressions instead; see `quantiles`.
    Covariates from before the experiment make its interval narrower; see `cuped`.
    """

    name: str
    numerator: str
    denominator: str
    covariates: tuple[Covariate, ...] = ()

    @classmethod
    def mean(cls, column: str, *, name: str | None = None, covariates: tuple[Covariate, ...] = ()) -> Metric:
        """The mean of a column per user."""
        return cls(name or column, column, USERS, covariates)

    @classmethod
    def conversion(
        cls, column: str, *, name: str | None = None, covariates: tuple[Covariate, ...] = ()
    ) -> Metric:
        """The share of users for whom a column is above zero."""
        return cls(name or column, f"any({column})", USERS, covariates)

    @classmethod
    def of_quantile(cls, column: str, level: float, *, name: str | None = None) -> Metric:
        """A quantile of a column of the impressions, such as the 0.95 quantile of their page times.

        Raises:
            ValueError: a level outside (0, 1).

        >>> Metric.of_quantile("page_ms", 0.95).numerator
        'p95(page_ms)'
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"a quantile's level must lie between 0 and 1, got {level}")
        text = Quantile(column, level).name
        return cls(name or text, text, IMPRESSIONS)

    @property
    def quantile(self) -> Quantile | None:
        """What quantile it is; None of a ratio."""
        return Quantile.parse(self.numerator)

    @property
    def event_columns(self) -> tuple[str, ...]:
        """The columns of single events that it needs: that of a quantile."""
        return (self.quantile.column,) if self.quantile else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the unit table that it needs, those of its covariates included."""
        names = [self.denominator] if self.quantile else [self.numerator, self.denominator]
        for covariate in self.covariates:
            names += covariate.numerator, covariate.denominator
        return tuple(name for name in dict.fromkeys(names) if name != USERS)

    @property
    def is_rate(self) -> bool:
        """True when it reads best in percent: a count per event, or the share of users who did something."""
        parts = self.numerator, self.denominator
        if self.quantile:
            return False
        return self.numerator.startswith("any(") or (
            USERS not in parts and not any(MONEY in p for p in parts)
        )

    @property
    def title(self) -> str:
        """What a reader would call it."""
        if (self.numerator, self.denominator) == ("clicks", "impressions"):
            return "click-through"
        return self.name

    @classmethod
    def parse(cls, text: str) -> Metric:
        """A metric from `name=numerator/denominator` or `name=p95(column)`, or one named by itself.

        Raises:
            ValueError: the text has another form.

        >>> Metric.parse("ctr=clicks/impressions").denominator
        'impressions'
        >>> Metric.parse("load=p95(page_ms)").quantile
        Quantile(column='page_ms', level=0.95)
        """
        match = re.fullmatch(r"(?:([^=/]+)=)?([^=/]+)(?:/([^=/]+))?", text.strip())
        parts = match.groups() if match else ("", "", "")
        name, numerator, denominator = ((part or "").strip() for part in parts)
        quantile = Quantile.parse(numerator)
        if not numerator or (quantile is None) == (not denominator):
            raise ValueError(
                "a metric reads name=numerator/denominator, such as ctr=clicks/impressions, or "
                f"name=p95(column), not {text!r}"
            )
        if quantile is not None:
            return cls.of_quantile(quantile.column, quantile.level, name=name)
        return cls(name or f"{numerator}/{denominator}", numerator, denominator)


CTR = Metric("ctr", "clicks", "impressions")
"""Clicks per impression."""
