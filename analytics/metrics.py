"""What is compared: one additive quantity per unit of another."""

from __future__ import annotations

import re
from dataclasses import dataclass

USERS = "users"
"""The column that is 1 for every user, so that `clicks/users` is a mean per user."""

MONEY = "revenue"


@dataclass(frozen=True)
class Metric:
    """The sum of `numerator` over the sum of `denominator`, both columns of the unit table.

    Click-through is clicks per impression; a mean per user is a ratio whose denominator is `users`.
    """

    name: str
    numerator: str
    denominator: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the unit table that it needs."""
        return tuple(c for c in dict.fromkeys((self.numerator, self.denominator)) if c != USERS)

    @property
    def is_rate(self) -> bool:
        """True when it reads best in percent: a count per event."""
        return USERS not in (self.numerator, self.denominator) and MONEY not in (
            self.numerator,
            self.denominator,
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

        >>> Metric.parse("ctr=clicks/impressions")
        Metric(name='ctr', numerator='clicks', denominator='impressions')
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
