import pytest

from stylize.errors import InvalidLook
from stylize.render.look import Look, as_look

UDNIE = {"udnie": 1.0}


def test_what_a_look_leaves_open_is_the_default() -> None:
    assert Look(UDNIE).strengths((0.4, 1.0)) == (0.4, 1.0)
    assert Look(UDNIE, background_strength=0.0).strengths((0.4, 1.0)) == (0.4, 0.0)
    assert Look(UDNIE, subject_strength=0.0).strengths((0.4, 1.0)) == (0.0, 1.0)
    assert Look.even(UDNIE, 0.7).strengths((0.4, 1.0)) == (0.7, 0.7)


def test_a_bare_mixture_is_a_look_that_leaves_everything_open() -> None:
    look = Look(UDNIE, 0.5)
    assert as_look(UDNIE) == Look(UDNIE)
    assert as_look(look) is look


@pytest.mark.parametrize(
    ("stroke_size", "size", "expected"),
    [
        (1.0, (13, 20), (13, 20)),
        (2.0, (600, 401), (300, 200)),
        (0.5, (30, 40), (60, 80)),
        (4.0, (40, 90), (16, 22)),
    ],
)
def test_larger_strokes_are_painted_on_a_smaller_photo(
    stroke_size: float, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert Look(UDNIE, stroke_size=stroke_size).painting_size(size, min_px=16) == expected


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_strength_outside_zero_to_one_is_refused(strength: float) -> None:
    with pytest.raises(InvalidLook, match="subject strength must be between 0"):
        Look(UDNIE, subject_strength=strength)
    with pytest.raises(InvalidLook, match="background strength must be between 0"):
        Look(UDNIE, background_strength=strength)


@pytest.mark.parametrize("stroke_size", [0.0, 0.2, 4.1, -1.0, float("nan")])
def test_a_stroke_size_out_of_range_is_refused(stroke_size: float) -> None:
    with pytest.raises(InvalidLook, match=r"between 0\.25 and 4"):
        Look(UDNIE, stroke_size=stroke_size)
