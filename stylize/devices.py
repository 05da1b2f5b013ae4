"""Where to compute, and in which precision. Importing this loads no torch."""

from typing import TYPE_CHECKING, Literal

from stylize.errors import DeviceUnavailable

if TYPE_CHECKING:
    import torch

Device = Literal["auto", "cpu", "cuda"]


def choose_device(device: Device) -> "torch.device":
    """The device to compute on; "auto" is a GPU where there is one.

    Raises:
        DeviceUnavailable: "cuda" was asked for and there is none.
    """
    import torch

    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise DeviceUnavailable("no CUDA device is available; use --device cpu or auto")
    return torch.device("cuda" if has_cuda and device != "cpu" else "cpu")


def computes_in_bfloat16(device: "torch.device") -> bool:
    """Whether bfloat16 products are native; where they are emulated, float32 is faster."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
