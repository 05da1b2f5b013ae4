import math

import torch

from stylize.evaluate.artefacts import BORDER_PX, border_ratio, checkerboard_energy


def smooth_picture(side: int = 128) -> torch.Tensor:
    across = torch.linspace(0, 3 * math.pi, side)
    waves = 0.5 + 0.3 * torch.sin(across)[None, :] * torch.cos(0.7 * across)[:, None]
    return waves.expand(1, 3, side, side)


def grid(period: int, side: int = 128) -> torch.Tensor:
    """+1 and -1 in squares of half the period, as a strided transposed convolution leaves them."""
    step = (torch.arange(side) // (period // 2)) % 2
    return (1 - 2 * ((step[:, None] + step[None, :]) % 2)).float()


def test_a_faint_grid_sticks_out_and_a_smooth_picture_does_not() -> None:
    picture = smooth_picture() + 0.01 * torch.randn(1, 3, 128, 128)
    clean = checkerboard_energy(picture).item()
    assert abs(clean - 1) < 0.25
    assert checkerboard_energy(picture + 0.02 * grid(2)).item() > 2 * clean
    assert checkerboard_energy(picture + 0.02 * grid(4)).item() > 2 * clean


def test_fine_detail_is_no_grid() -> None:
    assert abs(checkerboard_energy(torch.rand(1, 3, 256, 256)).item() - 1) < 0.1


def test_vertical_and_horizontal_lines_two_pixels_apart_are_a_grid_too() -> None:
    lines = (torch.arange(128) % 2).float()[None, :].expand(128, 128)
    noisy = 0.5 + 0.05 * torch.randn(1, 3, 128, 128)
    assert checkerboard_energy(noisy + 0.05 * lines).item() > 5
    assert checkerboard_energy(noisy + 0.05 * lines.T).item() > 5


def test_a_flat_picture_has_neither_grid_nor_border() -> None:
    flat = torch.full((2, 3, 96, 96), 0.4)
    assert torch.allclose(checkerboard_energy(flat), torch.ones(2), atol=1e-3)
    assert torch.allclose(border_ratio(flat), torch.ones(2))


def test_strokes_that_die_at_the_border_or_crowd_there_show() -> None:
    strokes = 0.2 * torch.randn(1, 3, 96, 96)
    even = border_ratio(0.5 + strokes).item()
    washed_out, crowded = strokes.clone(), strokes.clone()
    inner = torch.zeros(96, 96, dtype=torch.bool)
    inner[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True
    washed_out[..., ~inner] *= 0.1
    crowded[..., ~inner] *= 3
    assert abs(even - 1) < 0.05
    assert border_ratio(0.5 + washed_out).item() < 0.3
    assert border_ratio(0.5 + crowded).item() > 2.5
