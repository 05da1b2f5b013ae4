"""CPU time per picture of the inference network against the network as trained, side by side.

    python tests/benchmarks/render.py [SIZE_PX ...]

Variants are interleaved, so that a noisy machine disturbs all alike; read the ratios.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch

from stylize.checkpoint import build_network, read_checkpoint, shipped_checkpoint_path
from stylize.devices import computes_in_bfloat16
from stylize.render.inference import InferenceNetwork

ROUNDS = 7


def cpu_ms(render: Callable[[], object]) -> float:
    started = time.process_time()
    render()
    return 1000 * (time.process_time() - started)


def variants(size_px: int) -> dict[str, Callable[[], object]]:
    """One picture of `size_px` square through each variant of the shipped network."""
    network = build_network(read_checkpoint(shipped_checkpoint_path())).eval()
    image = torch.rand(1, 3, size_px, size_px)
    weights = torch.eye(network.config.num_styles)[:1]
    networks: dict[str, torch.nn.Module] = {
        "as trained, float32": network,
        "rewritten, float32": InferenceNetwork(network, torch.float32),
    }
    if computes_in_bfloat16(torch.device("cpu")):
        networks["rewritten, bfloat16"] = InferenceNetwork(network, torch.bfloat16)
    return {name: partial(torch.inference_mode()(one), image, weights) for name, one in networks.items()}


def main() -> None:
    for size_px in [int(size) for size in sys.argv[1:]] or [256, 512]:
        renders = variants(size_px)
        times: dict[str, list[float]] = {name: [] for name in renders}
        for _ in range(ROUNDS):
            for name, render in renders.items():
                times[name].append(cpu_ms(render))
        reference = median(next(iter(times.values())))
        for name, values in times.items():
            print(f"{size_px} px  {name:22} {median(values):7.0f} ms CPU  {reference / median(values):4.1f}x")


if __name__ == "__main__":
    main()
