"""StyleMap: which styles, how strongly, and where in each picture of a batch."""

import torch
import torch.nn.functional as F
from torch import Tensor


class StyleMap:
    """Style weights per region of a picture, at every resolution inside the network.

    A picture is cut into K regions, each with style weights of its own. Their sum is the region's
    *strength*; what is missing to 1 belongs to the identity row, which gives back the photo.

    Args:
        weights: style weights, (N, S), or (N, K, S) together with regions; entries at least 0,
            their sum over S at most 1.
        regions: share of each region at each pixel, (N, K, H, W) summing to 1 over K. None: the
            weights hold for the whole picture.
    Raises:
        ValueError: the shapes do not fit one another; the message gives both.
    """

    def __init__(self, weights: Tensor, regions: Tensor | None = None) -> None:
        expected = 2 if regions is None else 3
        if weights.dim() != expected or (regions is not None and regions.shape[:2] != weights.shape[:2]):
            shape = None if regions is None else tuple(regions.shape)
            raise ValueError(
                "style weights must be (N, S), or (N, K, S) with regions (N, K, H, W); "
                f"got weights {tuple(weights.shape)} and regions {shape}"
            )
        self.weights = weights.unsqueeze(1) if regions is None else weights
        self.regions = regions
        self._scaled: dict[tuple[int, int], Tensor] = {}

    @property
    def is_uniform(self) -> bool:
        """Whether one set of weights holds for the whole picture."""
        return self.regions is None

    @property
    def n_styles(self) -> int:
        """S."""
        return self.weights.shape[-1]

    def strength(self) -> Tensor:
        """Mean strength of each picture, its regions weighed by their areas: (N,)."""
        per_region = self.weights.sum(-1)
        if self.regions is None:
            return per_region[:, 0]
        return (per_region * self.regions.mean(dim=(2, 3))).sum(1)

    def blend(self, table: Tensor, identity: Tensor) -> Tensor:
        """Rows of a style table blended by the weights: (S, C) and (C,) -> (N, K, C), in float32."""
        with torch.autocast(self.weights.device.type, enabled=False):
            return self.weights @ table + (1 - self.weights.sum(-1, keepdim=True)) * identity

    def spread(self, rows: Tensor, height: int, width: int) -> Tensor:
        """A value for every pixel from one for every region: (N, K, C) -> (N, C, height, width).

        A uniform map gives (N, C, 1, 1), which broadcasts.
        """
        if self.regions is None:
            return rows[:, 0, :, None, None]
        regions = self.regions_at(height, width).to(rows.dtype)
        return torch.einsum("nkc,nkhw->nchw", rows, regions)

    def regions_at(self, height: int, width: int) -> Tensor:
        """The regions averaged down to this resolution, (N, K, height, width)."""
        assert self.regions is not None
        if (height, width) not in self._scaled:
            self._scaled[height, width] = F.adaptive_avg_pool2d(self.regions, (height, width))
        return self._scaled[height, width]

    def padded(self, padding: tuple[int, int, int, int]) -> "StyleMap":
        """The map of a picture that was extended by its edge pixels."""
        if self.regions is None or not any(padding):
            return self
        return StyleMap(self.weights, F.pad(self.regions, padding, mode="replicate"))


def two_regions(subject: Tensor) -> Tensor:
    """Regions of a picture whose subject is known: subject (N, 1, H, W) -> (N, 2, H, W), subject first."""
    return torch.cat([subject, 1 - subject], dim=1)
