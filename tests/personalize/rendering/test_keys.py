"""Render keys: one spelling for every render, and none for what cannot be rendered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize.errors import UnknownRender
from personalize.rendering.keys import FORMATS, RenderKey, Treatment

SHA = "ab" * 32


def make_key(weights: dict[str, float] | None = None, **values: object) -> RenderKey:
    given_values = {
        "treatment": Treatment(0.4, 1.0),
        "network_version": "0123456789ab",
        "width_px": 480,
        "format": "webp",
    }
    return RenderKey.of(SHA, {"udnie": 1.0} if weights is None else weights, **given_values | values)  # type: ignore[arg-type]


def parse(url: str) -> RenderKey:
    return RenderKey.parse(*url.removeprefix("/v1/renders/").split("/"))


def test_the_url_spells_out_photo_style_treatment_network_width_and_format() -> None:
    assert make_key().url == f"/v1/renders/{SHA}/udnie@0.4,1@0123456789ab/480.webp"
    everything = make_key(
        treatment=Treatment(0, 0.75, is_color_kept=True, is_white_kept=True, stroke_size=1.5)
    )
    assert everything.recipe == "udnie@0,0.75,colors,white,stroke=1.5@0123456789ab"


def test_the_photo_itself_depends_on_no_network_and_no_treatment() -> None:
    plain = make_key({}, treatment=Treatment(0.2, 0.3, is_color_kept=True), network_version="other")
    assert make_key({}).url == plain.url
    assert make_key({}).url == f"/v1/renders/{SHA}/original/480.webp"


def test_strength_zero_is_the_photo_itself() -> None:
    for treatment in (Treatment(), Treatment.of(0.0001, 0), Treatment(is_white_kept=True, stroke_size=2)):
        assert make_key(treatment=treatment) == make_key({})


def test_every_part_of_a_treatment_makes_another_render() -> None:
    treatments = [
        Treatment(1, 1),
        Treatment(0, 1),
        Treatment(1, 0),
        Treatment(1, 1, is_color_kept=True),
        Treatment(1, 1, is_white_kept=True),
        Treatment(1, 1, stroke_size=2),
    ]
    assert len({make_key(treatment=treatment).digest for treatment in treatments}) == len(treatments)


def test_only_the_proportions_of_weights_count() -> None:
    assert make_key({"a": 2.0, "b": 6.0}) == make_key({"b": 0.75, "a": 0.25})


@given(
    weights=st.dictionaries(st.text(min_size=1, max_size=12), st.floats(0.01, 1), max_size=3),
    treatment=st.builds(
        Treatment.of, st.floats(0, 1), st.floats(0, 1), st.booleans(), st.booleans(), st.floats(0.25, 4)
    ),
    width_px=st.integers(16, 2048),
    file_format=st.sampled_from(FORMATS),
)
def test_a_url_leads_back_to_its_key(
    weights: dict[str, float], treatment: Treatment, width_px: int, file_format: str
) -> None:
    key = make_key(weights, treatment=treatment, width_px=width_px, format=file_format)
    if all(name.isprintable() for name in weights):
        assert parse(key.url) == key


@pytest.mark.parametrize("name", ["udnie@1", "a,b", "a=b", "a/b", "~", "50%", "Schrei ü", "@", "original"])
def test_style_names_survive_whatever_they_hold(name: str) -> None:
    key = make_key({name: 1.0})
    assert parse(key.url) == key
    assert key.url.count("/") == 5
    assert key.url.isascii()


@pytest.mark.parametrize(
    "path",
    [
        f"{SHA}/udnie@0.85@0123456789ab/480.webp",
        f"{SHA}/udnie@0.40,1@0123456789ab/480.webp",
        f"{SHA}/udnie@.4,1@0123456789ab/480.webp",
        f"{SHA}/udnie@0.4,1.0@0123456789ab/480.webp",
        f"{SHA}/udnie@0.4,1,1@0123456789ab/480.webp",
        f"{SHA}/udnie@0.4,1,white,colors@0123456789ab/480.webp",
        f"{SHA}/udnie@0.4,1,stroke=1@0123456789ab/480.webp",
        f"{SHA}/udnie@0.4,1,stroke=0.2@0123456789ab/480.webp",
        f"{SHA}/udnie@0.4,1,stroke=5@0123456789ab/480.webp",
        f"{SHA}/udnie=1@0.4,1@0123456789ab/480.webp",
        f"{SHA}/b=0.5,a=0.5@0.4,1@0123456789ab/480.webp",
        f"{SHA}/udnie=0.5@0.4,1@0123456789ab/480.webp",
        f"{SHA}/udnie@nan,1@0123456789ab/480.webp",
        f"{SHA}/udnie@0.4,inf@0123456789ab/480.webp",
        f"{SHA}/udnie@7,1@0123456789ab/480.webp",
        f"{SHA}/udnie@0,0@0123456789ab/480.webp",
        f"{SHA}/udnie=nan,x=1@0.4,1@0123456789ab/480.webp",
        f"{SHA}/udnie/480.webp",
        f"{SHA}/@@/480.webp",
        f"{SHA}/original@0.85/480.webp",
        f"{SHA}/original/0480.webp",
        f"{SHA}/original/15.webp",
        f"{SHA}/original/2049.webp",
        f"{SHA}/original/480.png",
        f"{SHA}/original/480",
        f"{SHA.upper()}/original/480.webp",
        "../original/480.webp",
    ],
)
def test_every_other_spelling_is_unknown(path: str) -> None:
    with pytest.raises(UnknownRender):
        RenderKey.parse(*path.rsplit("/", 2))


def test_the_stored_name_is_hexadecimal_whatever_the_style_is_called() -> None:
    digest = make_key({"../../etc/passwd": 1.0}).digest
    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")
