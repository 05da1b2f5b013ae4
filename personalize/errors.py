"""Every error of the package.

    PersonalizeError
    ├── UnknownProduct          no such product in the catalogue
    ├── UnknownStyle            no such style on offer
    ├── UnknownExperiment       no experiment of that name
    ├── ExperimentRefused       a definition that cannot be read, or would move users who were assigned
    ├── UnknownModelVersion     the registry holds no such model version
    ├── NothingToRollBack       no model was promoted that could be taken back
    ├── UnknownRender           no picture belongs to this render address
    ├── UnreadablePhoto         a product's stored photo cannot be decoded
    ├── RendererBusy            as many renders wait as are allowed to
    ├── AddressInUse            another process listens where the service wants to
    ├── InvalidIdentifier       an id that is empty, too long or holds control characters
    ├── CatalogueError          a catalogue source that cannot be read at all
    ├── RulesError              merchandising rules that cannot be read
    ├── EventFileError          a file of events that cannot be read at all
    ├── NoStylesOnOffer         nothing can be shown: the style table is empty
    ├── DatabaseOutOfDate       the database is at another revision than the code
    ├── DatabaseUnavailable     the database does not answer
    ├── FeatureMismatch         a ranker and a frame disagree about columns
    ├── CorruptModel            a saved model whose files do not match their manifest
    ├── DaskMissing             the Dask extra or the cluster that was asked for is not there
    └── RetrainInProgress       another process holds the retraining lease

Errors know nothing of HTTP; `service/http_errors.py` maps them.
"""

from collections.abc import Sequence
from pathlib import Path


class PersonalizeError(Exception):
    """Base of every error that this package raises on purpose."""


class UnknownProduct(PersonalizeError):
    def __init__(self, product_id: str) -> None:
        self.product_id = product_id
        super().__init__(
            f"no product {product_id!r} in the catalogue; list them with GET /v1/products "
            "or add photos with `personalize catalog add PATH`"
        )


class UnknownStyle(PersonalizeError):
    def __init__(self, style_id: str, known: Sequence[str] = ()) -> None:
        self.style_id = style_id
        self.known = tuple(known)
        offer = f"; on offer are {', '.join(self.known)}" if self.known else ""
        super().__init__(f"no style {style_id!r}{offer}")


class UnknownExperiment(PersonalizeError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no experiment {name!r}; create it before it is served or compared")


class ExperimentRefused(PersonalizeError):
    def __init__(self, source: str, reason: str) -> None:
        self.source, self.reason = source, reason
        super().__init__(f"{source}: {reason}")


class UnknownModelVersion(PersonalizeError):
    def __init__(self, model_version: str) -> None:
        self.model_version = model_version
        super().__init__(f"the registry holds no model version {model_version!r}")


class NothingToRollBack(PersonalizeError):
    def __init__(self) -> None:
        super().__init__("no model has been promoted, the online layer serves; there is nothing to roll back")


class UnknownRender(PersonalizeError):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"no such render: {reason}; ask POST /v1/slates for a current address")


class UnreadablePhoto(PersonalizeError):
    def __init__(self, photo_sha256: str, reason: str) -> None:
        self.photo_sha256 = photo_sha256
        self.reason = reason
        super().__init__(
            f"the stored photo {photo_sha256[:12]} cannot be used: {reason}; "
            "add it again with `personalize catalog add PATH`"
        )


class RendererBusy(PersonalizeError):
    def __init__(self, max_pending: int, retry_after_seconds: int = 1) -> None:
        self.max_pending = max_pending
        self.retry_after_seconds = retry_after_seconds
        super().__init__(
            f"{max_pending} renders are waiting already, the most that may; "
            f"try again in {retry_after_seconds} s"
        )


class AddressInUse(PersonalizeError):
    def __init__(self, host: str, port: int, reason: str) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"cannot listen on {host}:{port}: {reason}; stop what listens there or choose another --port"
        )


class InvalidIdentifier(PersonalizeError):
    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field} {reason}; send 1 to 128 characters without control characters")


class CatalogueError(PersonalizeError):
    pass


class RulesError(PersonalizeError):
    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the rules in {path} cannot be used: {reason}")


class EventFileError(PersonalizeError):
    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the events in {path} cannot be read: {reason}")


class NoStylesOnOffer(PersonalizeError):
    def __init__(self) -> None:
        super().__init__(
            "no style is on offer; run `personalize db upgrade` to register the checkpoint's styles"
        )


class DatabaseOutOfDate(PersonalizeError):
    def __init__(self, current: str | None, expected: str) -> None:
        self.current = current
        self.expected = expected
        super().__init__(
            f"the database is at revision {current or 'none'}, this version needs {expected}; "
            "run `personalize db upgrade`"
        )


class DatabaseUnavailable(PersonalizeError):
    pass


class FeatureMismatch(PersonalizeError):
    def __init__(self, expected: Sequence[str], got: Sequence[str], owner: str) -> None:
        self.expected = tuple(expected)
        self.got = tuple(got)
        missing = [name for name in expected if name not in got]
        extra = [name for name in got if name not in expected]
        super().__init__(
            f"{owner} wants {len(self.expected)} features, got {len(self.got)}: "
            f"missing {missing}, unexpected {extra}; rebuild the extract or retrain"
        )


class CorruptModel(PersonalizeError):
    def __init__(self, model_version: str, reason: str) -> None:
        self.model_version = model_version
        self.reason = reason
        super().__init__(
            f"model version {model_version} cannot be loaded: {reason}; "
            "the previous model stays in use, run `personalize retrain` to make a new one"
        )


class DaskMissing(PersonalizeError):
    pass


class RetrainInProgress(PersonalizeError):
    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(f"{holder} is retraining already; wait for it to end")
