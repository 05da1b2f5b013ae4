import pytest

from stylize.errors import StylizeError
from stylize.evaluate.painting import Strengths
from stylize.evaluate.strengths import GRID, StrengthsTrial, choose_default, parse_strengths


def trial(subject: float, identified: float, recognised: float | None, ssim: float = 0.6) -> StrengthsTrial:
    return StrengthsTrial(Strengths(subject, 1), identified, recognised, ssim)


def test_the_most_identified_of_the_recognised_pairs_is_chosen() -> None:
    trials = [trial(0.3, 0.85, 0.99), trial(0.4, 0.92, 0.88), trial(0.5, 0.97, 0.80)]
    assert choose_default(trials, 0.85) == trials[1]
    assert choose_default(trials, 0.75) == trials[2]


def test_ties_go_to_the_better_recognised_then_to_the_more_similar() -> None:
    recognised = [trial(0.3, 0.9, 0.95), trial(0.4, 0.9, 0.90)]
    similar = [trial(0.3, 0.9, 0.95, ssim=0.60), trial(0.4, 0.9, 0.95, ssim=0.65)]
    assert choose_default(recognised) == recognised[0]
    assert choose_default(similar) == similar[1]


def test_a_pair_that_is_no_longer_like_the_photo_is_left_out() -> None:
    trials = [trial(0.4, 0.90, 0.9, ssim=0.61), trial(0.6, 0.99, 0.9, ssim=0.52)]
    assert choose_default(trials) == trials[0]
    assert choose_default(trials, least_similar=0.5) == trials[1]


def test_where_no_product_is_recognised_there_is_no_choice() -> None:
    assert choose_default([trial(0.3, 1.0, 0.5)], 0.85) is None
    assert choose_default([trial(0.3, 1.0, None)], 0.0) is None


def test_a_grid_is_a_set_of_pairs_with_the_product_never_above_its_background() -> None:
    assert parse_strengths("grid") == GRID
    assert len(set(GRID)) == len(GRID)
    assert all(pair.subject <= pair.background for pair in GRID)


@pytest.mark.parametrize("text", ["", "0.3", "0.3,1,1", "0.3,2", "-0.1,1", "a,b", "nan,1"])
def test_anything_else_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(StylizeError, match="strengths are `grid` or pairs"):
        parse_strengths(text)
