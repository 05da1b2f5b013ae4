"""First steps on a data folder: the database at the right revision, styles registered, photos added."""

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from personalize.data.catalogue import CatalogueReport, add_products, register_styles
from personalize.data.database import head_revision, open_database, require_head, upgrade, writing
from personalize.rendering import measure_photo, styles_of_checkpoint
from personalize.settings import Settings


def prepare_database(settings: Settings, *, now: datetime) -> tuple[str, int]:
    """Upgrade the database, register the checkpoint's styles; returns the revision and how many styles."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    upgrade(settings.resolved_database_url)
    styles = styles_of_checkpoint(settings)
    database = open_database(settings.resolved_database_url)
    try:
        with writing(database) as session:
            register_styles(session, styles, now)
    finally:
        database.dispose()
    return head_revision(), len(styles)


def add_catalogue(settings: Settings, source: Path, *, now: datetime, console: Console) -> CatalogueReport:
    """Add the photos of a folder or CSV with a progress bar.

    A database that does not exist yet is made first; one at another revision is refused.
    """
    if not settings.database_url and not settings.sqlite_path.exists():
        prepare_database(settings, now=now)
    database = open_database(settings.resolved_database_url)
    try:
        require_head(database)
        with progress_bar(console) as progress:
            task = progress.add_task("adding photos", total=None)
            return add_products(
                database,
                source,
                settings.photos_dir,
                measure=lambda path: measure_photo(path, max_pixels=settings.max_image_pixels),
                now=now,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
    finally:
        database.dispose()


def progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
