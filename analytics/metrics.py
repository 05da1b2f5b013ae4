"""What is compared: one additive quantity per unit of another."""

from __future__ import annotations

import re
from dataclasses import dataclass

USERS = "users"
"""The column that is 1 for every user, so that `clicks/users` is a mean per user."""

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
class Metric:
    """The sum of `numerator` over the sum of `denominator`, both columns of the unit table.

    Click-through is clicks per impression; a mean per user is a ratio whose denominator is `users`.
    The columns may be derived ones, such as `any(purchases)`; see `derived`.
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

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the unit table that it needs, those of its covariates included."""
        names = [self.numerator, self.denominator]
        for covariate in self.covariates:
            names += covariate.numerator, covariate.denominator
        return tuple(name for name in dict.fromkeys(names) if name != USERS)

    @property
    def is_rate(self) -> bool:
        """True when it reads best in percent: a count per event, or the share of users who did something."""
        parts = self.numerator, self.denominator
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
        """A metric from `name=numerator/denominator`, or a ratio named by itself.

        Raises:
            ValueError: the text has another form.

        >>> Metric.parse("ctr=clicks/impressions").denominator
        'impressions'
        """
        match = re.fullmatch(r"(?:([^=/]+)=)?([^=/]+)/([^=/]+)", text.strip())
        if match is None:
            raise ValueError(
                f"a metric reads name=numerator/denominator, such as ctr=clicks/impressions, not {text!r}"
            )
        name, numerator, denominator = (part.strip() if part else None for part in match.groups())
        return cls(name or f"{numerator}/{denominator}", numerator or "", denominator or "")


CTR = Metric("ctr", "clicks", "impressions")
"""Clicks per impression."""
