"""Several processes training one network: `torchrun --nproc-per-node=4 -m stylize train ...`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class World:
    """This process among all that train together; alone by default."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes logs, states and checkpoints."""
        return self.rank == 0

    def device(self, device_type: str) -> str:
        """The device of this process: each its own GPU."""
        return f"cuda:{self.local_rank}" if device_type == "cuda" and self.size > 1 else device_type

    def share(self, positions: range) -> range:
        """This process's part of a batch's positions.

        Raises:
            ValueError: the batch cannot be divided among the processes.
        """
        if len(positions) % self.size:
            raise ValueError(
                f"a batch of {len(positions)} cannot be divided among {self.size} processes; "
                "use a batch size that is a multiple of their number"
            )
        n = len(positions) // self.size
        return positions[self.rank * n : (self.rank + 1) * n]

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over all processes (DistributedDataParallel)."""
        if self.size == 1:
            return network
        return nn.parallel.DistributedDataParallel(network)

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, elementwise."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values / self.size


@contextmanager
def open_world(device_type: str) -> Iterator[World]:
    """The world that torchrun's environment describes; alone without one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield World()
        return
    torch.distributed.init_process_group("nccl" if device_type == "cuda" else "gloo")
    try:
        yield World(
            rank=int(os.environ["RANK"]),
            size=int(os.environ["WORLD_SIZE"]),
            local_rank=int(os.environ["LOCAL_RANK"]),
        )
    finally:
        torch.distributed.destroy_process_group()
