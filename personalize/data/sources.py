"""Where products come from: a folder of photos, or a CSV that names them."""

import csv
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from personalize.data.identifiers import checked_id
from personalize.data.records import Skipped
from personalize.data.schema import MAX_ID_LENGTH
from personalize.errors import CatalogueError, InvalidIdentifier

COLUMNS = ("product_id", "title", "category", "image")
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff"})
UNCATEGORISED = "uncategorised"
MAX_TITLE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A product that a source names; its photo has not been looked at yet."""

    product_id: str
    title: str
    category: str
    path: Path


def find_photos(source: Path) -> list[FoundPhoto | Skipped]:
    """Every product in a folder or CSV, in a fixed order, and what cannot be one with the reason.

    Raises:
        CatalogueError: no such path, neither a folder nor a CSV, an unreadable CSV, or nothing in it.
    """
    if source.is_dir():
        found = list(_find_in_folder(source))
    elif source.suffix.lower() == ".csv" and source.is_file():
        found = _without_doubles(_find_in_csv(source))
    elif source.exists():
        raise CatalogueError(f"expected a folder of photos or a .csv file, got {source}")
    else:
        raise CatalogueError(f"no such file or folder: {source}")
    if not found:
        expected = "no photos" if source.is_dir() else "a header but no rows"
        raise CatalogueError(f"{source} holds {expected}; add some and run the command again")
    return found


def _find_in_folder(root: Path) -> Iterator[FoundPhoto | Skipped]:
    """Sub-folders are categories; hidden files are passed over without a word.

    The id is made of the path below the folder, `mug/Blue 01.jpg` -> `mug-blue-01`. When two
    files come to the same id, the first in order keeps it and the others get a hash of their path.
    """
    taken: set[str] = set()
    for path in _visible_files(root):
        relative = path.relative_to(root)
        if path.suffix.lower() not in PHOTO_SUFFIXES:
            yield Skipped(str(relative), f"not a picture: expected {', '.join(sorted(PHOTO_SUFFIXES))}")
            continue
        category = relative.parts[0] if len(relative.parts) > 1 else UNCATEGORISED
        try:
            checked_id("category", category)
        except InvalidIdentifier as error:
            yield Skipped(str(relative), str(error))
            continue
        product_id = _path_id(relative, taken)
        taken.add(product_id)
        yield FoundPhoto(product_id, _title(category, path.stem), category, path)


def _visible_files(root: Path) -> Iterator[Path]:
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))


def _path_id(relative: Path, taken: set[str]) -> str:
    folders = [_slug(part) for part in relative.parts[:-1]]
    stem = _slug(relative.stem)
    if folders and (stem == folders[0] or stem.startswith(f"{folders[0]}-")):
        folders = folders[1:]
    product_id = "-".join(part for part in (*folders, stem) if part)
    if product_id and product_id not in taken and len(product_id) <= MAX_ID_LENGTH:
        return product_id
    digest = hashlib.sha256(relative.as_posix().encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{product_id[: MAX_ID_LENGTH - 11] or 'photo'}-{digest}"


def _slug(text: str) -> str:
    """Lower-case ASCII letters, digits and single hyphens: what needs no escaping in a URL."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text.lower()).strip("-")


def _title(category: str, stem: str) -> str:
    words = _printable(re.sub(r"[-_\s]+", " ", stem).strip())
    kind = re.sub(r"[-_\s]+", " ", category).strip()
    if category != UNCATEGORISED and kind.lower() not in words.lower():
        words = f"{kind} {words}"
    return (words[:1].upper() + words[1:])[:MAX_TITLE_LENGTH]


def _printable(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in {"Cc", "Cs"})


def _find_in_csv(path: Path) -> Iterator[tuple[int, FoundPhoto | Skipped]]:
    for line, row in _read_rows(path):
        product_id = row.get("product_id") or ""
        name = product_id or f"line {line}"
        try:
            yield line, _parse_row(row, path.parent)
        except (InvalidIdentifier, ValueError) as error:
            yield line, Skipped(name, f"line {line}: {error}")


def _read_rows(path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            header = [name.strip() for name in reader.fieldnames or []]
            missing = [name for name in COLUMNS if name not in header]
            if missing:
                raise CatalogueError(
                    f"{path} lacks the columns {', '.join(missing)}; expected {','.join(COLUMNS)} "
                    f"(commas, UTF-8), got {','.join(header) or 'an empty file'}"
                )
            reader.fieldnames = header
            for row in reader:
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except csv.Error as error:
        raise CatalogueError(f"{path}, line {reader.line_num}: {error}; is it really a CSV?") from error
    except OSError as error:
        raise CatalogueError(f"{path} cannot be read: {error.strerror}") from error


def _parse_row(row: dict[str, str | None], folder: Path) -> FoundPhoto:
    if None in row or None in row.values():
        raise ValueError(f"expected {len(COLUMNS)} columns as in the header; quote values that hold a comma")
    value = {name: (row[name] or "").strip() for name in COLUMNS}
    product_id = checked_id("product_id", value["product_id"])
    if "/" in product_id or product_id in {".", ".."}:
        raise ValueError(f"product_id {product_id!r} cannot be part of a URL path; write it without '/'")
    if not value["image"] or "\0" in value["image"]:
        raise ValueError("image is empty; name the photo, relative to the CSV")
    title = _printable(value["title"]) or product_id
    if len(title) > MAX_TITLE_LENGTH:
        raise ValueError(f"title has {len(title)} characters; at most {MAX_TITLE_LENGTH} are shown")
    category = checked_id("category", value["category"] or UNCATEGORISED)
    return FoundPhoto(product_id, title, category, folder / value["image"])


def _without_doubles(rows: Iterator[tuple[int, FoundPhoto | Skipped]]) -> list[FoundPhoto | Skipped]:
    first_line: dict[str, int] = {}
    found: list[FoundPhoto | Skipped] = []
    for line, each in rows:
        if isinstance(each, FoundPhoto) and each.product_id in first_line:
            reason = f"line {line}: product_id was used on line {first_line[each.product_id]} already"
            each = Skipped(each.product_id, reason)
        elif isinstance(each, FoundPhoto):
            first_line[each.product_id] = line
        found.append(each)
    return found
