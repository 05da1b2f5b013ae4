"""The sample catalogue that ships with the package, so that a first run has something to show."""

from pathlib import Path

__all__ = ["sample_catalogue"]


def sample_catalogue() -> Path:
    """The CSV of the sample products: product_id, title, category, image (relative to the CSV)."""
    return Path(__file__).with_name("catalogue.csv")
