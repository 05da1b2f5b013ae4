"""What identifies a render: everything its pixels depend on, and the URL that spells it out.

    /v1/renders/{photo_sha256}/{recipe}/{width_px}.{format}
    recipe = "original"  or  style[=share],...@strength@network_version

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
_FILE_NAME = re.compile(r"([1-9]\d{1,3})\.(jpeg|webp|avif)")
_NETWORK_VERSION = re.compile(r"[0-9a-f]{8,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class RenderKey:
    """A photo in a mixture of styles, at a strength, by one version of the network, at a size, in a format.

    Use `RenderKey.of`, which makes equal renders equal keys. `styles` is empty for the photo itself;
    then strength is 0 and there is no network version.
    """

    photo_sha256: str
    styles: tuple[tuple[str, float], ...]
    strength: float
    network_version: str
    width_px: int
    format: PictureFormat

    @classmethod
    def of(
        cls,
        photo_sha256: str,
        style_weights: Mapping[str, float],
        *,
        strength: float,
        network_version: str,
        width_px: int,
        format: PictureFormat,  # noqa: A002
    ) -> "RenderKey":
        """The key; weights are scaled to sum to 1, and strength 0 is the photo itself."""
        shares = _shares(style_weights) if round(strength, SHARE_DECIMALS) > 0 else ()
        return cls(
            photo_sha256,
            shares,
            round(strength, SHARE_DECIMALS) if shares else 0.0,
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
        weights, strength, network_version = _parse_recipe(recipe)
        key = cls.of(
            photo_sha256,
            weights,
            strength=strength,
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
        return f"{mixture}@{self.strength:g}@{self.network_version}"

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


def _parse_recipe(recipe: str) -> tuple[dict[str, float], float, str]:
    if recipe == ORIGINAL:
        return {}, 0.0, ""
    try:
        mixture, strength, network_version = recipe.split("@")
        parts = [part.split("=") for part in mixture.split(",")]
        weights = {_unescape(part[0]): float(part[1]) if len(part) > 1 else 1.0 for part in parts}
        if not 0 < float(strength) <= 1 or not _NETWORK_VERSION.fullmatch(network_version):
            raise ValueError("no strength, or no network")
        return weights, float(strength), network_version
    except ValueError:
        raise UnknownRender("its address is not well formed") from None


def _escape(style_id: str) -> str:
    """Percent encoding with `~` for `%`, so that servers and proxies leave it alone."""
    return quote(style_id, safe="").replace("~", "%7E").replace("%", "~")


def _unescape(text: str) -> str:
    return unquote(text.replace("~", "%"), errors="strict")
