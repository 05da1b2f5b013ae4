"""Render the catalogue: `python -m personalize.sample.scenes OUT` (see the package's docstring)."""

import argparse
import csv
import logging
import time
from pathlib import Path

from . import FAMILIES
from .catalogue import PRODUCTS, Product

log = logging.getLogger("scenes")


def main() -> None:
    parser = argparse.ArgumentParser(prog="personalize.sample.scenes", description=__doc__)
    parser.add_argument("out", type=Path, help="folder that receives photos/ and catalogue.csv")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="product ids or categories")
    parser.add_argument("--size", type=int, default=640, help="pixels on each side (default %(default)s)")
    parser.add_argument("--samples", type=int, default=16, help="paths for each pixel (default %(default)s)")
    parser.add_argument("--preview", action="store_true", help="192 pixels, 12 samples: a look in seconds")
    parser.add_argument("--again", action="store_true", help="render also what is already there")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    size_px, samples = (192, 12) if args.preview else (args.size, args.samples)
    wanted = [p for p in PRODUCTS if not args.only or {p.product_id, p.category} & set(args.only)]
    if not wanted:
        parser.error(f"nothing is called {args.only}; families: {', '.join(FAMILIES)}")
    for product in wanted:
        render(product, args.out, size_px=size_px, samples=samples, again=args.again)
        write_catalogue(args.out)


def photo_path(product: Product, out: Path) -> Path:
    return out / "photos" / product.category / f"{product.product_id}.jpg"


def render(product: Product, out: Path, *, size_px: int, samples: int, again: bool) -> None:
    """Photograph the product, unless its picture is there already."""
    from .studio import photograph

    path = photo_path(product, out)
    if path.exists() and not again:
        return
    started = time.monotonic()
    photograph(product, path, size_px=size_px, samples=samples)
    log.info("%s  %.0f s  %d kB", path, time.monotonic() - started, path.stat().st_size // 1000)


def write_catalogue(out: Path) -> None:
    """catalogue.csv with a row for every product whose picture exists."""
    with (out / "catalogue.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["product_id", "title", "category", "image"])
        for product in PRODUCTS:
            if photo_path(product, out).exists():
                image = photo_path(product, out).relative_to(out).as_posix()
                rows.writerow([product.product_id, product.title, product.category, image])


if __name__ == "__main__":
    main()
