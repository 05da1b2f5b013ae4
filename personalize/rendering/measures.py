"""What was measured of each style's renders: the report of `stylize evaluate` beside the checkpoint."""

import json
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

SUFFIX = ".report.json"


@dataclass(frozen=True)
class StyleMeasures:
    """Of renders at the default strength, each None when the report does not hold it.

    Attributes:
        psnr_db, ssim: likeness to the photo.
        identified_rate: share of renders from which the style can be told, in [0, 1].
        recognised_rate: share in which the product is recognised, in [0, 1].
    """

    psnr_db: float | None = None
    ssim: float | None = None
    identified_rate: float | None = None
    recognised_rate: float | None = None


KEYS = {
    "psnr_db": "psnr_default_db",
    "ssim": "ssim_default",
    "identified_rate": "identified_default_rate",
    "recognised_rate": "recognised_default_rate",
}
"""Our names -> the report's, under `styles`, style name."""


@dataclass(frozen=True)
class Measures:
    """By style; `why_none` says why there is no report at all."""

    by_style: Mapping[str, StyleMeasures] = field(default_factory=dict)
    why_none: str | None = None


def read_measures(checkpoint: Path) -> Measures:
    """The measures of the checkpoint's styles, from `<checkpoint stem>.report.json` beside it.

    A page must not fail because of a file that another command wrote: what is missing or no number
    is None, and a report that cannot be read gives a reason.
    """
    path = checkpoint.with_name(checkpoint.stem + SUFFIX)
    try:
        styles = json.loads(path.read_text(encoding="utf-8"))["styles"]
        return Measures({str(name): _measures(values) for name, values in styles.items()})
    except FileNotFoundError:
        return Measures(why_none=f"there is no {path.name} beside the network; make it with stylize evaluate")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("measures_unreadable", extra={"file": path.name, "error": str(error)})
        return Measures(why_none=f"{path.name} cannot be read; make it anew with stylize evaluate")


def _measures(values: Mapping[str, Any]) -> StyleMeasures:
    return StyleMeasures(**{ours: _number(values.get(theirs)) for ours, theirs in KEYS.items()})


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None  # type: ignore[arg-type]
