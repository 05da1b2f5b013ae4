import pytest
import torch

from stylize.style_map import StyleMap, two_regions


def test_strength_is_the_mean_over_regions_weighed_by_their_areas() -> None:
    subject = torch.zeros(1, 1, 4, 8)
    subject[..., :2] = 1  # a quarter of the picture
    weights = torch.tensor([[[0.1, 0.1], [0.5, 0.5]]])
    assert StyleMap(weights, two_regions(subject)).strength().item() == pytest.approx(0.25 * 0.2 + 0.75)
    assert StyleMap(torch.tensor([[0.3, 0.4]])).strength().item() == pytest.approx(0.7)


def test_rows_are_blended_and_the_rest_is_the_identity_row() -> None:
    table, identity = torch.tensor([[1.0, 2.0], [10.0, 20.0]]), torch.tensor([100.0, 200.0])
    blended = StyleMap(torch.tensor([[0.5, 0.25]])).blend(table, identity)
    assert blended.tolist() == [[[0.5 + 2.5 + 25, 1 + 5 + 50]]]


def test_values_are_spread_by_the_share_of_each_region_in_a_pixel() -> None:
    subject = torch.zeros(1, 1, 4, 4)
    subject[..., :2, :1] = 1
    style = StyleMap(torch.ones(1, 2, 1), two_regions(subject))
    spread = style.spread(torch.tensor([[[8.0], [0.0]]]), 2, 2)
    assert spread.tolist() == [[[[4.0, 0.0], [0.0, 0.0]]]]
    assert StyleMap(torch.ones(1, 1)).spread(torch.tensor([[[8.0]]]), 2, 2).tolist() == [[[[8.0]]]]


def test_a_map_is_extended_with_its_picture() -> None:
    subject = torch.zeros(1, 1, 3, 3)
    subject[..., 2, 2] = 1
    padded = StyleMap(torch.ones(1, 2, 1), two_regions(subject)).padded((0, 1, 0, 1))
    assert padded.regions is not None
    assert padded.regions[0, 0].tolist() == [[0] * 4, [0] * 4, [0, 0, 1, 1], [0, 0, 1, 1]]
    even = StyleMap(torch.ones(1, 1))
    assert even.padded((0, 1, 0, 1)) is even


@pytest.mark.parametrize(
    ("weights", "regions"),
    [
        ((3,), None),
        ((1, 2, 3), None),
        ((1, 3), (1, 2, 4, 4)),
        ((1, 2, 3), (1, 3, 4, 4)),
        ((1, 2, 3), (2, 2, 4, 4)),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_both(
    weights: tuple[int, ...], regions: tuple[int, ...] | None
) -> None:
    with pytest.raises(ValueError, match="got weights"):
        StyleMap(torch.ones(weights), None if regions is None else torch.ones(regions))
