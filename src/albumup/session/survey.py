"""The findings of a push, in numbers and examples, for the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field

from albumup.journal.live import Joined
from albumup.journal.staging import Known
from albumup.journal.states import DONE, WANTING, State
from albumup.photos.file_names import text_of
from albumup.photos.filters import SkipReason
from albumup.photos.scan import Root, Unreadable
from albumup.photos.skipped import Examples, skipped_words


class Survey(Struct):
    """The findings of a push; counts are photos."""

    queued: int = 0
    size: int = 0
    """Bytes of what is queued."""
    requeued: Sequence[int] = ()
    """The tasks among what is queued that were there before."""
    sent_before: int = 0
    waiting_before: int = 0
    cancelled_before: int = 0
    changed: int = 0
    wanting_count: int = 0
    """Photos that did not change since they failed, were rejected or left in doubt."""
    videos: int = 0
    """Of what is queued."""
    live: Joined = field(default_factory=Joined)
    """Live photos of which a half is queued, or both."""
    sidecars: int = 0
    """XMP files that are to go along with what is queued; the others are among ``skipped``."""
    maybe_live: int = 0
    """Clips of live photos beside stills of which nothing here can tell whose they are."""
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    suffixes: Counter[bytes] = field(default_factory=Counter)
    """Of what is skipped as no media; b"" counts names without one."""
    empty: Examples = field(default_factory=Examples)
    """Photos by their names that have no byte."""
    odd: Examples = field(default_factory=Examples)
    """Queued photos that hold something else than their names say."""
    folders: list[Unreadable] = field(default_factory=list)
    """Folders that could not be read."""

    @property
    def photos(self) -> int:
        return self.queued + self.sent_before + self.waiting_before + self.cancelled_before + self.wanting_count

    def count_known(self, known: Known) -> None:
        """A photo that the journal knows lies there, and nothing is to be done with it."""
        if known.state in DONE:
            self.sent_before += 1
        elif known.state is State.CANCELLED:
            self.cancelled_before += 1
        elif known.state in WANTING and not known.is_asking:
            self.wanting_count += 1
        else:
            self.waiting_before += 1

    def nothing_in(self, roots: Sequence[Root]) -> tuple[str, str]:
        """Why there is no photo at all, and what to do."""
        places = ", ".join(repr(text_of(root.path))[1:-1] for root in roots[:3])
        unread = "".join(f"; {repr(text_of(one.path))[1:-1]}: {one.reason}" for one in self.folders[:3])
        skipped = skipped_words(self.skipped, self.suffixes)
        more = f" ({skipped})" if skipped else ""
        empty = "".join(f"; {repr(text_of(path))[1:-1]} is empty" for path, _ in self.empty.first[:3])
        return (
            f"no photo under {places}{more}{empty}{unread}",
            "nothing was queued; albumup push -v names what is skipped",
        )
