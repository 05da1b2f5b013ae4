"""Everything that can go wrong in stylize, named for the fact. One base class: StylizeError."""

import difflib
from collections.abc import Sequence


class StylizeError(Exception):
    """Base of all errors of this package; the message is one sentence a user can act on."""


class UnreadableImage(StylizeError):
    """The bytes are no picture we can decode: another format, cut short, or damaged."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} cannot be read as a picture: {reason}")
        self.name = name
        self.reason = reason


class ImageTooLarge(StylizeError):
    """The picture has more pixels than we are willing to decode; size is None when even that is not known."""

    def __init__(self, name: str, size: tuple[int, int] | None, max_pixels: int) -> None:
        found = (
            f"{size[0]} x {size[1]} = {size[0] * size[1]:,} pixels" if size else "a picture of enormous size"
        )
        super().__init__(
            f"{name} is {found}, more than the limit of {max_pixels:,} pixels; make it smaller first"
        )
        self.name = name
        self.size = size
        self.max_pixels = max_pixels


class ImageTooSmall(StylizeError):
    """The picture is too small for what is asked of it."""

    def __init__(self, name: str, width: int, height: int, min_px: int) -> None:
        super().__init__(f"{name} is {width} x {height} px, both sides must be at least {min_px} px")
        self.name = name
        self.width = width
        self.height = height
        self.min_px = min_px


class NoImages(StylizeError):
    """A folder that should hold pictures holds none that can be used."""


class UnknownStyle(StylizeError):
    """A style name that the checkpoint does not have."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        shown = name if len(name) <= 60 else name[:57] + "..."
        nearest = difflib.get_close_matches(name[:60].lower(), known, n=3, cutoff=0.4) or list(known)
        super().__init__(f"there is no style {shown!r}; the nearest are: {', '.join(nearest)}")
        self.name = name
        self.nearest = nearest


class InvalidStyleWeights(StylizeError):
    """Weights that cannot be a mixture: negative, not finite, or summing to zero."""


class InvalidLook(StylizeError):
    """A strength, a stroke size or a mask that no picture can be painted with."""


class InvalidStyleName(StylizeError):
    """A name that no style can have, or that another one has."""


class LastStyle(StylizeError):
    """The only style of a checkpoint cannot be removed."""


class InvalidRecipe(StylizeError):
    """Training settings that do not fit together."""


class CorruptCheckpoint(StylizeError):
    """A checkpoint that is cut short, damaged, or no checkpoint of ours at all."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name} is not a sound style checkpoint: {reason}")
        self.name = name
        self.reason = reason


class ResumeMismatch(StylizeError):
    """The run folder holds the state of another recipe than the one asked for."""


class DivergedTraining(StylizeError):
    """The loss or its gradient is no longer finite; names the step and the pictures of its batch."""


class MissingVGGWeights(StylizeError):
    """The VGG19 weights that training needs cannot be had from the chosen source."""


class RenderQueueFull(StylizeError):
    """More renders are waiting than the queue is allowed to hold; try again later."""

    def __init__(self, max_pending: int) -> None:
        super().__init__(
            f"{max_pending} renders are already waiting, the most this queue holds; try again later"
        )
        self.max_pending = max_pending


class OutOfMemory(StylizeError):
    """Not even one picture of this size fits into memory."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(
            f"a picture of {width} x {height} px does not fit into memory; render it smaller (--size)"
        )
        self.width = width
        self.height = height


class DeviceUnavailable(StylizeError):
    """The device asked for is not on this machine."""
