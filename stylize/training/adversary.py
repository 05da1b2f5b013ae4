"""Adversary: a patch discriminator that knows which style it is asked about. Off by default.

It sees crops of the style pictures as real and stylized pictures as false, and its verdict on a patch
adds to the objective. Gram matrices match what is frequent; an adversary can tell strokes from noise.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (32, 64, 128)


class PatchDiscriminator(nn.Module):
    """Realness of every patch of about 22 px, given the style that it should be of.

        D(x, w) = v . f(x) + (w @ E) . f(x)   at each place of the feature map f(x)

    Shape:
        images (N, 3, H, W), mixtures w (N, S) -> (N, H / 8, W / 8), about.
    Source: Isola et al., CVPR 2017 (patches); Miyato and Koyama, ICLR 2018, arXiv:1802.05637 (projection).
    """

    def __init__(self, num_styles: int) -> None:
        super().__init__()
        channels = (3, *WIDTHS)
        norm = nn.utils.parametrizations.spectral_norm
        self.convolutions = nn.ModuleList(
            norm(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in pairwise(channels)
        )
        self.verdict = norm(nn.Conv2d(WIDTHS[-1], 1, 1))
        self.embedding = nn.Parameter(torch.zeros(num_styles, WIDTHS[-1]))

    def forward(self, images: Tensor, mixtures: Tensor) -> Tensor:
        x = images * 2 - 1
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), 0.2)
        asked = mixtures @ self.embedding
        fits: Tensor = torch.einsum("nc,nchw->nhw", asked, x) / WIDTHS[-1] ** 0.5
        real: Tensor = self.verdict(x)[:, 0]
        return real + fits


class Adversary:
    """The discriminator and its optimizer.

    Args:
        pictures: the style pictures, (S, 3, H, W), at least as large as the crops trained on.
        learning_rate: of its Adam, whose beta_1 is 0.
        device: where to compute.
    """

    def __init__(self, pictures: Tensor, learning_rate: float, device: torch.device) -> None:
        self.pictures = pictures.to(device)
        self.network = PatchDiscriminator(len(pictures)).to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), learning_rate, betas=(0.0, 0.99))

    def penalty(self, stylized: Tensor, mixtures: Tensor) -> Tensor:
        """How false each picture looks to the discriminator, (N,); the hinge loss of the generator."""
        verdicts: Tensor = self.network(stylized, mixtures)
        return -verdicts.mean(dim=(1, 2))

    def learn(self, stylized: Tensor, mixtures: Tensor, seed: int) -> float:
        """One step of the discriminator on these pictures and as many real crops; its hinge loss."""
        real = self._real_crops(mixtures, stylized.shape[-1], seed)
        on_real, on_false = self.network(real, mixtures), self.network(stylized.detach().float(), mixtures)
        loss = F.relu(1 - on_real).mean() + F.relu(1 + on_false).mean()
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(loss.item())

    def tensors(self) -> dict[str, Tensor]:
        """Everything a resumed run needs."""
        named = dict(self.network.state_dict())
        for name, values in self.network.named_parameters():
            for key, moment in self.optimizer.state[values].items():
                named[f"adam/{name}/{key}"] = moment
        return named

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Bring back what `tensors` gave."""
        self.network.load_state_dict({name: tensors[name] for name in self.network.state_dict()})
        restore_adam(self.optimizer, self.network, tensors)

    def _real_crops(self, mixtures: Tensor, crop_px: int, seed: int) -> Tensor:
        """Random crops of the style that weighs most in each mixture."""
        generator = torch.Generator().manual_seed(seed)
        height, width = self.pictures.shape[-2:]
        crops = []
        for row in mixtures.argmax(1).tolist():
            top = int(torch.randint(max(1, height - crop_px + 1), (), generator=generator))
            left = int(torch.randint(max(1, width - crop_px + 1), (), generator=generator))
            crops.append(self.pictures[row, :, top : top + crop_px, left : left + crop_px])
        return torch.stack(crops)


def restore_adam(optimizer: torch.optim.Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Adam's moments from `adam/{parameter}/{key}` back to where they were."""
    for name, values in network.named_parameters():
        prefix = f"adam/{name}/"
        moments = {key[len(prefix) :]: tensor for key, tensor in tensors.items() if key.startswith(prefix)}
        if moments:
            optimizer.state[values] = {
                key: moment if key == "step" else moment.to(values.device) for key, moment in moments.items()
            }
