import pytest
import torch

from stylize.evaluate.bench import BENCH_LAYERS
from stylize.evaluate.styling import gram_targets, objective, rows_of
from stylize.losses import STYLE_LAYERS, StyleTargets
from stylize.vgg import VGGFeatures, VGGWeights


@pytest.fixture
def vgg(narrow_vgg: VGGWeights) -> VGGFeatures:
    return VGGFeatures(narrow_vgg, BENCH_LAYERS)


def test_a_style_picture_has_no_style_loss_and_a_photo_no_content_loss(vgg: VGGFeatures) -> None:
    style, photo = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    targets, photo_features = gram_targets(vgg(style)), vgg(photo)
    itself = objective(vgg(style), photo_features, targets)
    unstyled = objective(photo_features, photo_features, targets)
    assert itself.style_loss.item() < 1e-9 < itself.content_loss.item()
    assert unstyled.content_loss.item() == 0 < unstyled.style_loss.item()
    assert torch.equal(itself.J, itself.style_loss + itself.content_loss)


def test_j_is_the_definition_written_out(vgg: VGGFeatures) -> None:
    out, photo, style = (torch.rand(1, 3, 32, 32) for _ in range(3))
    expected = 0.0
    for layer in STYLE_LAYERS:
        grams = []
        for picture in (out, style):
            features = vgg(picture)[layer][0].flatten(1)
            grams.append(features @ features.T / features.numel())
        expected += ((grams[0] - grams[1]).square().sum() / grams[1].square().sum()).item()
    content, wanted = vgg(out)["relu4_2"], vgg(photo)["relu4_2"]
    expected += ((content - wanted).square().sum() / wanted.square().sum()).item()
    reached = objective(vgg(out), vgg(photo), gram_targets(vgg(style)))
    assert reached.J.item() == pytest.approx(expected, rel=1e-4)


def test_rows_are_the_styles_asked_for(vgg: VGGFeatures) -> None:
    targets = StyleTargets.stack([gram_targets(vgg(torch.rand(1, 3, 32, 32))) for _ in range(3)])
    chosen = rows_of(targets, [2, 0, 2])
    assert torch.equal(chosen.grams["relu3_1"], targets.grams["relu3_1"][[2, 0, 2]])
    assert torch.equal(chosen.moments["relu1_1"], targets.moments["relu1_1"][[2, 0, 2]])
