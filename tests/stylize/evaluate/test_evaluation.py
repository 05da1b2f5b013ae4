from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
import torch

from stylize.checkpoint import StyleCheckpoint
from stylize.errors import StylizeError
from stylize.evaluate import evaluation as module
from stylize.evaluate.evaluation import Evaluation, Evaluator, Plan
from stylize.evaluate.painting import FULL, Strengths
from stylize.evaluate.reference import ReferenceTable
from stylize.evaluate.summary import summarize
from stylize.vgg import VGGWeights

PLAN = Plan(n_photos=3, n_held_back=4, n_references=1, strengths=(Strengths(0.5, 1.0),), side_px=64)


@pytest.fixture
def evaluator(
    small_checkpoint: StyleCheckpoint,
    shop: Path,
    style_folder: Path,
    narrow_vgg: VGGWeights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Evaluator]:
    """Evaluators on one work folder, of three optimisation steps a reference."""
    monkeypatch.setattr(module, "N_STEPS", 3)

    def build(checkpoint: StyleCheckpoint = small_checkpoint, plan: Plan = PLAN) -> Evaluator:
        table = ReferenceTable(tmp_path / "reference.json")
        silence = lambda *_: None  # noqa: E731
        cpu = torch.device("cpu")
        return Evaluator(
            checkpoint, shop, style_folder, plan, narrow_vgg, cpu, tmp_path / "work", table, silence
        )

    return build


@pytest.fixture
def measured(evaluator: Callable[..., Evaluator]) -> Evaluation:
    return evaluator().run()


def test_every_photo_is_measured_in_every_style_at_every_pair(measured: Evaluation) -> None:
    assert measured.tried == (FULL, Strengths(0.5, 1.0))
    assert len(measured.measures) == 3 * 3 * 2
    assert len(measured.optima) == 3
    assert len(measured.mixes) == 3
    assert {photo.group for photo in measured.photos} == {"top", "shoes"}


def test_figures_are_means_over_pictures(measured: Evaluation) -> None:
    summary = summarize(measured)
    dots = [m for (_, style, pair), m in measured.measures.items() if (style, pair) == ("dots", FULL)]
    figures = summary["styles"]["dots"]
    assert figures["J_full"] == pytest.approx(fmean(m.style_loss + m.content_loss for m in dots))
    assert figures["identified_full_rate"] == fmean(m.identified_as == "dots" for m in dots)
    per_style = [style["ssim_full"] for style in summary["styles"].values()]
    assert summary["overall"]["ssim_full"] == pytest.approx(fmean(per_style))
    assert summary["overall"]["n_references"] == 3


def test_j_is_compared_with_the_optimum_of_the_same_pair(measured: Evaluation) -> None:
    ((photo, style),) = [pair for pair in measured.optima if pair[1] == "waves"]
    picture, optimum = measured.measures[photo, style, FULL], measured.optima[photo, style]
    ratio = summarize(measured)["styles"]["waves"]["J_ratio"]
    assert ratio == pytest.approx((picture.style_loss + picture.content_loss) / optimum.J)


def test_recognition_is_relative_to_the_clean_photos(measured: Evaluation) -> None:
    summary = summarize(measured)
    right = {p.key: p.group for p in measured.photos}
    full = [m.recognised_as == right[key] for (key, _, pair), m in measured.measures.items() if pair == FULL]
    clean = fmean(p.recognised_as == p.group for p in measured.photos)
    assert summary["recognised_clean_rate"] == clean > 0
    assert summary["overall"]["recognised_full_rate"] == pytest.approx(fmean(full) / clean)


def test_a_stopped_evaluation_goes_on_where_it_stopped(
    evaluator: Callable[..., Evaluator], measured: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = evaluator()
    monkeypatch.setattr(again.painter, "paint", lambda *_: pytest.fail("painted what was measured already"))
    assert summarize(again.run()) == summarize(measured)


def test_another_default_is_measured_without_painting_the_rest_again(
    evaluator: Callable[..., Evaluator], measured: Evaluation, small_checkpoint: StyleCheckpoint
) -> None:
    other = evaluator(replace(small_checkpoint, default_strengths=(0.5, 1.0)))
    other.painter.paint = lambda *_: pytest.fail("painted what was measured already")  # type: ignore[method-assign]
    summary = summarize(other.run())
    assert summary["default_strengths"] == [0.5, 1.0]
    assert summary["overall"]["ssim_default"] == pytest.approx(summary["strengths"][0]["ssim"])


def test_full_strength_is_the_default_of_a_checkpoint_that_names_none(measured: Evaluation) -> None:
    overall = summarize(measured)["overall"]
    assert measured.default == FULL
    assert overall["ssim_default"] == overall["ssim_full"] < 1
    assert overall["psnr_strength_0_db"] > 35


def test_without_groups_recognition_is_left_out_with_the_reason(
    evaluator: Callable[..., Evaluator], shop: Path
) -> None:
    (shop / "shoes").rename(shop / "things")
    (shop / "t-shirt").rename(shop / "other")
    summary = summarize(evaluator(plan=replace(PLAN, n_photos=1, n_references=0, has_mixes=False)).run())
    assert summary["overall"]["recognised_default_rate"] is None
    assert "at least two groups" in summary["why_not_recognised"]
    assert summary["overall"]["J_ratio"] is None


def test_a_style_without_a_picture_is_named(evaluator: Callable[..., Evaluator], style_folder: Path) -> None:
    (style_folder / "waves.png").unlink()
    with pytest.raises(StylizeError, match=r"has no picture of the style waves; a style picture's file name"):
        evaluator()
