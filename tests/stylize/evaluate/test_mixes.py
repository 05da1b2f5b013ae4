import pytest

from stylize.evaluate.mixes import MixTrial, all_pairs, clean_rate, worst_mix

CLEAN = MixTrial("a", "b", J=1.5, parents=(1.0, 2.0))
MUDDY = MixTrial("a", "c", J=2.2, parents=(1.0, 2.0))


def test_a_mixture_is_clean_when_its_worse_parent_is_no_better() -> None:
    assert CLEAN.is_clean
    assert not MUDDY.is_clean
    assert CLEAN.excess == pytest.approx(-0.25)
    assert MUDDY.excess == pytest.approx(0.1)
    assert worst_mix([CLEAN, MUDDY]) == MUDDY
    assert clean_rate([CLEAN, MUDDY]) == 0.5


def test_every_pair_is_tried_once_and_photos_take_turns() -> None:
    pairs = all_pairs(n_styles=16, n_photos=24)
    assert len({(pair.first, pair.second) for pair in pairs}) == len(pairs) == 120
    assert {pair.photo for pair in pairs} == set(range(8))
    assert pairs[0].mixture(3).tolist() == [[0.5, 0.5, 0.0]]


def test_one_style_has_nothing_to_mix_with() -> None:
    assert all_pairs(1, 4) == []
    assert clean_rate([]) is None
    assert worst_mix([]) is None
