"""Time and peak memory of one large photo, rendered in strips and, where it fits, as a whole.

    python tests/benchmarks/large_photo.py [MEGAPIXELS] [--whole] [--regions]

The photo is drawn, 3:2. Peak memory is the process's largest resident set, everything included
(the interpreter, torch, the photo in and the picture out), so run one case a process.
"""

import argparse
import resource
import time

import numpy as np
from PIL import Image

from stylize.render import renderer
from stylize.render.look import Look


def draw_photo(megapixels: float) -> Image.Image:
    """Smooth colours with fine noise: nothing that compresses, nothing flat."""
    height = int((megapixels * 1e6 / 1.5) ** 0.5)
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(30, 225, (8, 12, 3), dtype=np.uint8))
    photo = coarse.resize((int(1.5 * height), height), Image.Resampling.BICUBIC)
    noise = Image.fromarray(rng.integers(0, 24, (512, 512, 3), dtype=np.uint8))
    for top in range(0, photo.height, 512):
        for left in range(0, photo.width, 512):
            tile = photo.crop((left, top, left + 512, top + 512))
            photo.paste(Image.blend(tile, noise, 0.1), (left, top))
    return photo


def peak_gb() -> float:
    """Largest resident set so far, in 10^9 bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def measure(megapixels: float, is_whole: bool, has_regions: bool) -> None:
    """Render once, print one line."""
    if is_whole:
        renderer.WHOLE_PIXELS["cpu"] = renderer.MAX_RENDER_PIXELS
    painter = renderer.Renderer.open(device="cpu")
    name = painter.bank.names[0]
    photo = draw_photo(megapixels)
    look = Look({name: 1.0}, 0.4, 1.0) if has_regions else Look.even({name: 1.0}, 1.0)
    before = peak_gb()
    started, cpu = time.perf_counter(), time.process_time()
    painter.render([photo], [look])
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = peak_gb()
    print(
        f"{photo.width} x {photo.height} px  {'whole' if is_whole else 'strips':7}"
        f"{'two strengths' if has_regions else 'one strength':14} {wall:6.1f} s wall {cpu:6.1f} s CPU"
        f"   peak {peak:.2f} GB ({before:.2f} GB before)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("megapixels", type=float, nargs="?", default=24.0)
    parser.add_argument("--whole", action="store_true", help="paint it whole instead of in strips")
    parser.add_argument("--regions", action="store_true", help="two strengths instead of one")
    options = parser.parse_args()
    measure(options.megapixels, options.whole, options.regions)


if __name__ == "__main__":
    main()
