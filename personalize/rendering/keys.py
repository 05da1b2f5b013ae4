"""What identifies a render: everything its pixels depend on, and the URL that spells it out.

    /v1/renders/{photo_sha256}/{recipe}/{width_px}.{format}
    recipe = "original"  or  style[=share],...@treatment@network_version
    treatment = subject strength,background strength[,colors][,white][,stroke=size]

The URL is all that is needed to make the picture, so any process can answer it and any cache may
keep it for ever. There is exactly one spelling of every render; other spellings are refused, so that
nobody can fill a cache with copies.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, get_args
from urllib.parse import quote, unquote

from personalize.data.schema import ORIGINAL
from personalize.errors import UnknownRender

PictureFormat = Literal["jpeg", "webp", "avif"]
FORMATS: tuple[PictureFormat, ...] = get_args(PictureFormat)
MEDIA_TYPES: dict[PictureFormat, str] = {name: f"image/{name}" for name in FORMATS}

MIN_WIDTH_PX = 16
MAX_WIDTH_PX = 2048
SHARE_DECIMALS = 3
MIN_STROKE_SIZE, MAX_STROKE_SIZE = 0.25, 4.0
_NUMBER = r"\d(?:\.\d{1,3})?"
_TREATMENT = re.compile(
    rf"(?P<subject>{_NUMBER}),(?P<background>{_NUMBER})(?P<colors>,colors)?(?P<white>,white)?"
    rf"(?:,stroke=(?P<stroke>{_NUMBER}))?",
    re.ASCII,
)
_FILE_NAME = re.compile(r"([1-9]\d{1,3})\.(jpeg|webp|avif)")
_NETWORK_VERSION = re.compile(r"[0-9a-f]{8,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Treatment:
    """How strongly a photo is painted, where, and what of it is kept; see stylize.render.look.

    `Treatment.of` rounds, so that equal treatments are spelled alike.
    """

    subject_strength: float = 0.0
    background_strength: float = 0.0
    is_color_kept: bool = False
    is_white_kept: bool = False
    stroke_size: float = 1.0

    @classmethod
    def of(
        cls,
        subject_strength: float,
        background_strength: float,
        is_color_kept: bool = False,
        is_white_kept: bool = False,
        stroke_size: float = 1.0,
    ) -> "Treatment":
        subject, background, stroke = (
            round(value, SHARE_DECIMALS) for value in (subject_strength, background_strength, stroke_size)
        )
        return cls(subject, background, is_color_kept, is_white_kept, stroke)

    @classmethod
    def parse(cls, text: str) -> "Treatment":
        """The treatment that a URL spells. Raises ValueError where there is none."""
        found = _TREATMENT.fullmatch(text)
        if found is None:
            raise ValueError("no treatment")
        stroke_size = float(found["stroke"] or 1)
        treatment = cls.of(
            float(found["subject"]),
            float(found["background"]),
            found["colors"] is not None,
            found["white"] is not None,
            stroke_size,
        )
        is_paintable = max(treatment.subject_strength, treatment.background_strength) <= 1
        if not is_paintable or not MIN_STROKE_SIZE <= stroke_size <= MAX_STROKE_SIZE:
            raise ValueError("out of range")
        return treatment

    @property
    def leaves_the_photo(self) -> bool:
        return self.subject_strength == self.background_strength == 0

    @property
    def spelling(self) -> str:
        """Its part of the URL."""
        parts = [f"{self.subject_strength:g}", f"{self.background_strength:g}"]
        parts += ["colors"] * self.is_color_kept + ["white"] * self.is_white_kept
        parts += [f"stroke={self.stroke_size:g}"] * (self.stroke_size != 1)
        return ",".join(parts)


@dataclass(frozen=True, slots=True)
class RenderKey:
    """A photo in a mixture of styles, in a treatment, by one version of the network, at a size, in a format.

    Use `RenderKey.of`, which makes equal renders equal keys. `styles` is empty for the photo itself;
    then the treatment is the default one and there is no network version.
    """

    photo_sha256: str
    styles: tuple[tuple[str, float], ...]
    treatment: Treatment
    network_version: str
    width_px: int
    format: PictureFormat

    @classmethod
    def of(
        cls,
        photo_sha256: str,
        style_weights: Mapping[str, float],
        *,
        treatment: Treatment,
        network_version: str,
        width_px: int,
        format: PictureFormat,  # noqa: A002
    ) -> "RenderKey":
        """The key; weights are scaled to sum to 1, and strength 0 everywhere is the photo itself."""
        shares = () if treatment.leaves_the_photo else _shares(style_weights)
        return cls(
            photo_sha256,
            shares,
            treatment if shares else Treatment(),
            network_version if shares else "",
            width_px,
            format,
        )

    @classmethod
    def parse(cls, photo_sha256: str, recipe: str, file_name: str) -> "RenderKey":
        """The key that a URL spells.

        Raises:
            UnknownRender: the URL is not one that `url` gives.
        """
        size = _FILE_NAME.fullmatch(file_name)
        if not _SHA256.fullmatch(photo_sha256) or size is None:
            raise UnknownRender("its address is not well formed")
        width_px, format_ = int(size[1]), FORMATS[FORMATS.index(size[2])]
        weights, treatment, network_version = _parse_recipe(recipe)
        key = cls.of(
            photo_sha256,
            weights,
            treatment=treatment,
            network_version=network_version,
            width_px=width_px,
            format=format_,
        )
        if key.recipe != recipe or not MIN_WIDTH_PX <= width_px <= MAX_WIDTH_PX:
            raise UnknownRender("its address is not well formed")
        return key

    @property
    def recipe(self) -> str:
        """How the photo was changed, as one path segment."""
        if not self.styles:
            return ORIGINAL
        if len(self.styles) == 1:
            mixture = _escape(self.styles[0][0])
        else:
            mixture = ",".join(f"{_escape(style_id)}={share:g}" for style_id, share in self.styles)
        return f"{mixture}@{self.treatment.spelling}@{self.network_version}"

    @property
    def url(self) -> str:
        """Where the service answers this render."""
        return f"/v1/renders/{self.photo_sha256}/{self.recipe}/{self.width_px}.{self.format}"

    @property
    def media_type(self) -> str:
        return MEDIA_TYPES[self.format]

    @property
    def digest(self) -> str:
        """Hex name of the render in a store; no part of it was chosen by a client."""
        return sha256(self.url.encode()).hexdigest()


def _shares(style_weights: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    total = sum(style_weights.values())
    if not style_weights or total <= 0:
        return ()
    shares = {style_id: round(weight / total, SHARE_DECIMALS) for style_id, weight in style_weights.items()}
    return tuple(sorted((style_id, share) for style_id, share in shares.items() if share > 0))


def _parse_recipe(recipe: str) -> tuple[dict[str, float], Treatment, str]:
    if recipe == ORIGINAL:
        return {}, Treatment(), ""
    try:
        mixture, treatment, network_version = recipe.split("@")
        parts = [part.split("=") for part in mixture.split(",")]
        weights = {_unescape(part[0]): float(part[1]) if len(part) > 1 else 1.0 for part in parts}
        if not _NETWORK_VERSION.fullmatch(network_version):
            raise ValueError("no network")
        return weights, Treatment.parse(treatment), network_version
    except ValueError:
        raise UnknownRender("its address is not well formed") from None


def _escape(style_id: str) -> str:
    """Percent encoding with `~` for `%`, so that servers and proxies leave it alone."""
    return quote(style_id, safe="").replace("~", "%7E").replace("%", "~")


def _unescape(text: str) -> str:
    return unquote(text.replace("~", "%"), errors="strict")
