import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize.errors import InvalidStyleWeights, UnknownStyle
from stylize.styles import StyleBank, StyleInfo, mixture_label

BANK = StyleBank(("night_cafe", "the_scream", "udnie"))


def test_a_name_alone_is_one_hot() -> None:
    assert BANK.style_weights({"the_scream": 0.3}).tolist() == [0, 1, 0]


@given(st.dictionaries(st.sampled_from(BANK.names), st.floats(1e-3, 1e3), min_size=1))
def test_weights_sum_to_one_and_keep_their_proportions(mixture: dict[str, float]) -> None:
    weights = BANK.style_weights(mixture)
    assert weights.sum() == pytest.approx(1)
    doubled = BANK.style_weights({name: 2 * weight for name, weight in mixture.items()})
    assert np.allclose(weights, doubled)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", [{"night_cafe": 1.0}, {"the_scream": 1.0}, {"udnie": 1.0}]),
        ("udnie", [{"udnie": 1.0}]),
        ("udnie, the_scream", [{"udnie": 1.0}, {"the_scream": 1.0}]),
        ("udnie=0.7,the_scream=0.3", [{"udnie": 0.7, "the_scream": 0.3}]),
        ("udnie=2", [{"udnie": 2.0}]),
    ],
)
def test_what_a_style_option_asks_for(text: str, expected: list[dict[str, float]]) -> None:
    assert BANK.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", " , ", "udnie,the_scream=1", "udnie=", "udnie=x", "udnie=-1", "udnie=0", "udnie=nan", "udnie=inf"],
)
def test_weights_that_are_no_mixture_are_refused(text: str) -> None:
    with pytest.raises(InvalidStyleWeights):
        BANK.parse(text)


def test_an_unknown_style_names_the_nearest() -> None:
    with pytest.raises(UnknownStyle, match=r"'scream'.*the_scream") as caught:
        BANK.parse("scream")
    assert caught.value.nearest[0] == "the_scream"


@pytest.mark.parametrize("name", ["x" * 10_000, "\x00", "../../etc", "Ünïcode", "‮evil", ""])
def test_hostile_names_are_unknown_styles_with_short_messages(name: str) -> None:
    with pytest.raises(UnknownStyle) as caught:
        BANK.style_weights({name: 1.0})
    assert len(str(caught.value)) < 250


def test_a_mixtures_label_gives_percentages() -> None:
    assert mixture_label({"udnie": 1.0}) == "udnie"
    assert mixture_label({"udnie": 3.0, "night_cafe": 1.0}) == "udnie-75+night_cafe-25"


def test_the_nearest_styles_are_those_with_the_closest_content_vectors() -> None:
    vectors = {"a": (1, 0), "b": (0.8, 0.6), "c": (-1, 0)}
    infos = [StyleInfo(name, np.array(v, dtype=np.float32), b"") for name, v in vectors.items()]
    assert [info.name for info in infos[0].nearest(infos, 2)] == ["b", "c"]
