from collections import Counter

import pytest
import torch

from stylize.training.conditions import Conditions, Curriculum, StepKind, draw_conditions

CURRICULUM = Curriculum(regions_share=0.3, strength_share=0.1, mixture_share=0.2)


def first_of(kind: StepKind) -> Conditions:
    step = next(step for step in range(1000) if CURRICULUM.kind_at(0, step) is kind)
    return draw_conditions(CURRICULUM, 0, step, range(8), 4)


def test_kinds_of_steps_come_as_often_as_they_should() -> None:
    kinds = Counter(CURRICULUM.kind_at(1, step) for step in range(4000))
    shares = [kinds[kind] / 4000 for kind in StepKind]
    assert shares == pytest.approx([0.4, 0.3, 0.1, 0.2], abs=0.03)


def test_every_style_comes_equally_often() -> None:
    rows = torch.cat(
        [draw_conditions(Curriculum(0, 0, 0), 0, s, range(4 * s, 4 * s + 4), 8).mixtures for s in range(4)]
    )
    assert rows.sum(0).tolist() == [2.0] * 8


def test_a_full_step_asks_for_one_style_everywhere() -> None:
    conditions = first_of(StepKind.FULL)
    style = conditions.style_map(torch.zeros(8, 1, 4, 4))
    assert style.is_uniform
    assert style.strength().tolist() == [1.0] * 8


def test_a_mixture_sums_to_one_over_two_styles() -> None:
    mixtures = first_of(StepKind.MIXTURE).mixtures
    assert mixtures.sum(1).tolist() == pytest.approx([1.0] * 8)
    assert ((mixtures > 0).sum(1) <= 2).all()
    assert ((mixtures > 0).sum(1) == 2).any()


def test_regions_hold_the_product_back_and_let_the_background_go() -> None:
    conditions = first_of(StepKind.REGIONS)
    assert (conditions.subject_strength < 0.7).all()
    assert (conditions.background_strength >= 0.7).all()
    subject = torch.zeros(8, 1, 4, 4)
    subject[..., :2] = 1
    mean = (conditions.subject_strength + conditions.background_strength) / 2
    assert torch.allclose(conditions.style_map(subject).strength(), mean)


def test_conditions_follow_from_seed_and_step_and_split_among_processes() -> None:
    whole = draw_conditions(CURRICULUM, 5, 3, range(8), 4)
    again = draw_conditions(CURRICULUM, 5, 3, range(8), 4)
    assert torch.equal(whole.mixtures, again.mixtures)
    halves = [whole.part(range(4)), whole.part(range(4, 8))]
    assert torch.equal(torch.cat([half.subject_strength for half in halves]), whole.subject_strength)


def test_one_style_alone_is_never_mixed() -> None:
    curriculum = Curriculum(0, 0, 1)
    assert draw_conditions(curriculum, 0, 0, range(3), 1).mixtures.tolist() == [[1.0]] * 3
