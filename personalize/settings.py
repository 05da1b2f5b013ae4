"""Every setting with its unit and default; the environment is read here and nowhere else."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import platformdirs
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Share = Annotated[float, Field(ge=0, le=1)]


def _default_data_dir() -> Path:
    return Path(platformdirs.user_data_dir("personalize", appauthor=False))


class Settings(BaseSettings):
    """Settings of the `personalize` package, each read from `PERSONALIZE_<NAME>`.

    Frozen and handed down as an argument. An unknown `PERSONALIZE_` variable is ignored by
    pydantic-settings; a value that does not parse is an error that names the variable.
    """

    model_config = SettingsConfigDict(env_prefix="PERSONALIZE_", frozen=True)

    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Folder that holds the SQLite database, the photos, the renders and the models.",
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL, e.g. postgresql+psycopg://user@host/shop. Empty: SQLite in data_dir.",
    )
    render_store_url: str = Field(
        default="",
        description="fsspec URL of the render cache, e.g. s3://bucket/renders. Empty: a folder in data_dir.",
    )
    render_store_max_bytes: int = Field(
        default=2_000_000_000,
        gt=0,
        description="Bound of the render cache; the oldest unused go first.",
    )
    checkpoint: Path | None = Field(
        default=None, description="Style network checkpoint. Empty: the one that ships with the package."
    )
    device: str = Field(default="auto", description="Where renders run: auto, cpu, cuda or cuda:N.")
    strength: Share | None = Field(
        default=None,
        description="From the photo (0) to the full style (1). Empty: the checkpoint's own strengths.",
    )
    subject_strength: Share | None = Field(
        default=None, description="Strength on the product alone. Empty: as `strength` says."
    )
    background_strength: Share | None = Field(
        default=None, description="Strength around the product. Empty: as `strength` says."
    )
    keep_colors: bool = Field(
        default=False, description="Brightness from the painting, colours from the photo."
    )
    keep_white: bool = Field(
        default=False, description="Leave a flat, near-white studio background as it is."
    )
    stroke_size: float = Field(default=1.0, ge=0.25, le=4, description="2 paints strokes twice as large.")
    max_pending_renders: int = Field(
        default=256,
        gt=0,
        description="Renders that may wait; past it the answer is 503 with Retry-After.",
    )
    max_image_pixels: int = Field(
        default=50_000_000, gt=0, description="Largest photo, in pixels, that the catalogue takes."
    )
    host: str = Field(default="127.0.0.1", description="Address that the service listens on.")
    port: int = Field(default=8000, gt=0, lt=65536, description="Port that the service listens on.")
    visit: timedelta = Field(
        default=timedelta(minutes=30),
        description="Within a visit the same user sees the same style of the same product.",
    )
    attribution_window: timedelta = Field(
        default=timedelta(days=1),
        description="How long after its impression a click or purchase counts.",
    )
    history_window: timedelta = Field(
        default=timedelta(days=90), description="How far back features and training look."
    )
    half_life: timedelta = Field(
        default=timedelta(days=30), description="Age at which an event weighs half in rates and beliefs."
    )
    rules: Path | None = Field(
        default=None,
        description="JSON file of merchandising rules. Empty: every style may be shown anywhere.",
    )
    exploration_floor: float = Field(
        default=0.03, gt=0, le=1, description="Share of impressions spread evenly over all candidates."
    )
    holdout_days: int = Field(default=1, gt=0, description="Latest days kept back to judge a challenger.")
    extracts_dir: Path | None = Field(
        default=None,
        description="Folder that all Dask workers share, for training extracts. Empty: one in data_dir.",
    )
    gate_needs_support: bool = Field(
        default=False,
        description="Refuse a challenger whose off-policy value the log cannot support, with the reason.",
    )
    experiment: str = Field(
        default="",
        description="Experiment whose variants decide. Empty: everybody gets `personal`.",
    )
    refresh_seconds: float = Field(
        default=2.0, gt=0, description="How often the service looks for a newly promoted champion."
    )
    seed: int | None = Field(
        default=None, description="Seed of the policy's draws and the training; empty draws fresh entropy."
    )

    @field_validator("data_dir")
    @classmethod
    def _expand_user(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def sqlite_path(self) -> Path:
        """The embedded database, used when `database_url` is empty."""
        return self.data_dir / "personalize.sqlite3"

    @property
    def resolved_database_url(self) -> str:
        """`database_url`, or the SQLite file in `data_dir`."""
        return self.database_url or f"sqlite:///{self.sqlite_path}"

    @property
    def photos_dir(self) -> Path:
        """Folder of the catalogue's photos, named by content hash."""
        return self.data_dir / "photos"

    @property
    def models_dir(self) -> Path:
        """Folder of model versions, one sub-folder each."""
        return self.data_dir / "models"

    @property
    def resolved_extracts_dir(self) -> Path:
        """`extracts_dir`, or the folder `extracts` in `data_dir`; emptied after each training."""
        return self.extracts_dir or self.data_dir / "extracts"

    @property
    def resolved_render_store_url(self) -> str:
        """`render_store_url`, or the folder `renders` in `data_dir`."""
        return self.render_store_url or str(self.data_dir / "renders")
