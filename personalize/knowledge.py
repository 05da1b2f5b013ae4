"""What one process knows: the memory of the log and the champion, both kept up with the database."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Engine as Database

from personalize.data.database import reading
from personalize.data.extracts import read_log
from personalize.data.records import StyleOnOffer
from personalize.data.registry import champion
from personalize.data.schema import ORIGINAL
from personalize.errors import CorruptModel, NoStylesOnOffer
from personalize.features import FeatureFrame, Memory, Requests, StyleSpace
from personalize.features.history import microseconds
from personalize.models import ONLINE, Ranker, load_scorer
from personalize.settings import Settings
from personalize.settler import Settler

REPLAY_EVERY = timedelta(minutes=10)
"""How often the log is read anew at most because users were forgotten: it may be long, and they many."""

logger = logging.getLogger(__name__)


class Knowledge:
    """Memory and champion, read by many threads while events arrive and champions change.

    Hold `lock` for reads that must agree with one another. `candidates` are the styles on offer in the
    order of beliefs, the original last.

    Raises:
        NoStylesOnOffer: there is no style but the original.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        styles: Sequence[StyleOnOffer],
        clock: Callable[[], datetime],
    ) -> None:
        self.lock = threading.RLock()
        self.ranker: Ranker | None = None
        self._settings = settings
        self._database = database
        self._clock = clock
        self._space = StyleSpace.of(styles)
        if not self._space.style_ids:
            raise NoStylesOnOffer
        self.candidates = (*self._space.style_ids, ORIGINAL)
        self._refreshing = threading.Lock()
        self._owes_replay = False
        self._replayed_at: datetime | None = None
        self._settler = Settler(self.settle)
        self._arrived: list[Callable[[Memory], None]] | None = None
        self._memory = self._read_memory()
        self._load_champion()

    @property
    def model_version(self) -> str:
        """The champion that scores, or the name of the fallback."""
        return self.ranker.model_version if self.ranker else ONLINE

    def frame(self, requests: Requests, *, beliefs_only: bool = False) -> FeatureFrame:
        """Features of every candidate style for these requests, as of their moments; see `Memory.frame`."""
        with self.lock:
            return self._memory.frame(requests, beliefs_only=beliefs_only)

    def own_counts(self, user_id: str, style_ids: Sequence[str], now: datetime) -> list[tuple[int, int]]:
        """How often the user saw and clicked each style before now."""
        with self.lock:
            counts = self._memory.own_counts(user_id, style_ids, microseconds(now))
        return [(shown, clicked) for shown, clicked in counts.tolist()]

    def learn(self, change: Callable[[Memory], None]) -> None:
        """Change what is remembered; while it is being read anew, the new one is changed too.

        What that leaves to work out is done by a thread of its own, while nobody waits for it.
        """
        with self.lock:
            change(self._memory)
            if self._arrived is not None:
                self._arrived.append(change)
            is_due = self._memory.is_due
        if is_due:
            self._settler.wake()

    def settle(self) -> None:
        """Work out what the next decision would have to wait for.

        A long run of events is made without the lock: until it is there the shorter ones answer.
        """
        with self.lock:
            memory = self._memory
            memory.settle()
            merger = memory.merger()
        while merger is not None:
            run = merger.run()
            with self.lock:
                memory.history.ledger.adopt(merger, run)
                merger = memory.merger()

    def close(self) -> None:
        """Let the thread end. What is learned after that is worked out by whoever asks."""
        self._settler.close()

    def forget(self, user_id: str) -> None:
        """Drop what is remembered of a user at once, and their part in what is believed of all at `refresh`.

        Each showing moved what all share from where it stood then, so no one's part can be taken out of the
        sums; replaying a log without the user gives what they would be.
        """
        with self.lock:
            is_read_anew = self._arrived is not None  # and what that knows of the user cannot be seen yet
            self._owes_replay |= is_read_anew or self._memory.knows(user_id)
            self.learn(lambda memory: memory.forget(user_id))

    def refresh(self) -> bool:
        """Follow the registry; True when another champion took over.

        The log is read anew with it, so that what other processes recorded counts too, and after `forget`.
        A champion whose files are corrupt is refused, and the one in use stays.
        """
        with self._refreshing:
            has_changed = self._load_champion()
            if has_changed or (self._owes_replay and self._may_replay()):
                self._replay()
        return has_changed

    def _may_replay(self) -> bool:
        return self._replayed_at is None or self._clock() - self._replayed_at >= REPLAY_EVERY

    def _replay(self) -> None:
        self._owes_replay = False  # before the log is read: whoever is forgotten meanwhile asks for another
        with self._arrivals() as arrived:
            try:
                memory = self._read_memory()
            except Exception:
                self._owes_replay = True
                raise
            if self.ranker is not None:
                memory.expect_features()
            with self.lock:
                for change in arrived:
                    change(memory)
                self._memory = memory
        self._replayed_at = self._clock()

    @contextmanager
    def _arrivals(self) -> Iterator[list[Callable[[Memory], None]]]:
        """What `learn` is told meanwhile."""
        with self.lock:
            arrived = self._arrived = []
        try:
            yield arrived
        finally:
            with self.lock:
                self._arrived = None

    def _load_champion(self) -> bool:
        with reading(self._database) as session:
            version = champion(session)
        if version is None:
            return self._fall_back()
        if version.model_version == self.model_version:
            return False
        try:
            ranker = load_scorer(
                self._settings.models_dir, version.model_version, manifest_sha256=version.manifest_sha256
            )
        except CorruptModel as error:
            fields = {"model_version": version.model_version, "reason": str(error)}
            logger.error("champion_refused", extra=fields)
            return False
        self._memory.expect_features()
        with self.lock:
            self.ranker = ranker
        logger.info("champion_loaded", extra={"model_version": ranker.model_version})
        return True

    def _fall_back(self) -> bool:
        """Let the online layer score alone, when the only promotion there was has been taken back."""
        with self.lock:
            had_ranker, self.ranker = self.ranker is not None, None
        if had_ranker:
            logger.info("champion_withdrawn")
        return had_ranker

    def _read_memory(self) -> Memory:
        now = self._clock()
        with reading(self._database) as session:
            log = read_log(session, since=now - self._settings.history_window, until=now)
        return Memory.from_log(
            log,
            self._space,
            half_life=self._settings.half_life,
            attribution_window=self._settings.attribution_window,
        )
