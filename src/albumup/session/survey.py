"""The findings of a push for the screen: numbers and examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct, field

from albumup.journal.known import Known
from albumup.journal.live import Joined
from albumup.journal.states import DONE, WANTING, State
from albumup.photos.file_names import text_of
from albumup.photos.filters import SkipReason
from albumup.photos.scan import Root, Unreadable
from albumup.photos.skipped import Examples, skipped_words


class Survey(Struct):
    """The findings of a push. Numbers are photos, unless they say otherwise."""

    queued: int = 0
    size: int = 0
    """Bytes of the queued photos."""
    requeued: Sequence[int] = ()
    """The ids of queued tasks that were in the journal before."""
    sent_before: int = 0
    waiting_before: int = 0
    cancelled_before: int = 0
    changed: int = 0
    wanting_count: int = 0
    """Photos that have not changed since they failed, were rejected, missing or in doubt."""
    videos: int = 0
    """Videos among the queued photos."""
    live: Joined = field(default_factory=Joined)
    """Live photos with a queued half."""
    sidecars: int = 0
    """XMP files that go along with queued photos; others are among ``skipped``."""
    maybe_live: int = 0
    """Clips of live photos beside stills whose identifiers cannot be read here."""
    skipped: Counter[SkipReason] = field(default_factory=Counter)
    suffixes: Counter[bytes] = field(default_factory=Counter)
    """The suffixes of files skipped as no media; b"" counts names without one."""
    empty: Examples = field(default_factory=Examples)
    """Empty files with the names of photos."""
    odd: Examples = field(default_factory=Examples)
    """Queued photos whose content is not what their names say."""
    folders: list[Unreadable] = field(default_factory=list)
    """Folders that could not be read."""

    @property
    def photos(self) -> int:
        return (
            self.queued
            + self.sent_before
            + self.waiting_before
            + self.cancelled_before
            + self.wanting_count
        )

    def count_known(self, known: Known) -> None:
        """Count a photo that the journal knows and that is not queued."""
        if known.state in DONE:
            self.sent_before += 1
        elif known.state is State.CANCELLED:
            self.cancelled_before += 1
        elif known.state in WANTING and not known.is_asking:
            self.wanting_count += 1
        else:
            self.waiting_before += 1

    def nothing_in(self, roots: Sequence[Root]) -> tuple[str, str]:
        """The words of the error that there is no photo at all, and its hint."""
        places = ", ".join(repr(text_of(root.path))[1:-1] for root in roots[:3])
        unread = "".join(
            f"; {repr(text_of(one.path))[1:-1]}: {one.reason}" for one in self.folders[:3]
        )
        skipped = skipped_words(self.skipped, self.suffixes)
        more = f" ({skipped})" if skipped else ""
        empty = "".join(
            f"; {repr(text_of(path))[1:-1]} is empty" for path, _ in self.empty.first[:3]
        )
        names = "; albumup push -v names what is skipped" if skipped else ""
        return f"no photo under {places}{more}{empty}{unread}", f"nothing was queued{names}"
