"""What the server's albums are owed: found or made, filled with what is stored, shared if that was asked for.

Each step is journaled once the server has said that it is done; one that fails or is cut off is done again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from albumup.errors import AlbumupError
from albumup.file_names import quoted
from albumup.journal import runs, there
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.targets.base import AlbumGone, Asked, NotAllowed, ServerAlbum, Target, Unasked, VerdictKind
from albumup.transfer.http import Http
from albumup.uploader.lane import Lane

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine

T = TypeVar("T")

_LOOK_SECONDS = 0.25
_ASKED = 5000
_MOST = 1000
"""Photos put into an album by one request."""
_GATHERING = 10.0
"""Seconds for which stored photos are gathered for one request while others are being sent."""


class Do(Protocol):
    """Make a change of the journal, durably: what it returned."""

    def __call__(self, change: Callable[[Journal], T], /) -> T: ...


def directly(journal: Journal) -> Do:
    """Changes made here and now, for whoever holds the uploader's lock."""

    def do(change: Callable[[Journal], T], /) -> T:
        with journal.transaction():
            return change(journal)

    return do


class AlbumWork:
    """The work on one target's albums. Methods raise as the target's do: Unasked, ConfigError."""

    def __init__(self, target: Target, http: Http, do: Do, tell: Callable[[Album, str], None]) -> None:
        """``tell`` is called with (album, words) when the user should know what was found there."""
        self._target, self._http, self._do, self._tell = target, http, do, tell
        self.requests = 0
        """How often the server answered."""
        self._ids: dict[int, str | None] = {}
        """What the journal has as the server's id of each album."""
        self._found: dict[int, ServerAlbum | None] = {}

    def look(self, album: Album) -> ServerAlbum | None:
        """Find the server's album, once: two of the name, or no permission, are to be known before anything is sent."""
        if album.id in self._found:
            return self._found[album.id]
        known = self._ids.setdefault(album.id, album.remote_id)
        found = self._target.find_album(self._http, album.name, known)
        self.requests += 1
        if known is not None and (found is None or found.id != known):
            self._start_over(album)
        if found is not None:
            self._know(album, found)
        self._found[album.id] = found
        if found is not None and found.id == known:
            self._look_at_link(album)
        return found

    def _look_at_link(self, album: Album) -> None:
        """A share link is shown only while the server has it; another one is made only when it is asked for."""
        if album.share is None or not self._target.can_share or self._target.has_link(self._http, album.share):
            return
        self._do(lambda journal: journal.unshared(album.id))
        self._tell(album, f"its share link is no more: {album.share}")

    def look_again(self, album: Album) -> list[tuple[bytes, str]]:
        """Is what was sent before still there? Paths of photos that are not, and why.

        An album that was deleted or emptied there is owed all its photos again.
        """
        found = self.look(album)
        if found is not None and found.photos == 0 and self._was_emptied(album, found):
            self._do(lambda journal: journal.owe(album.id))
            self._tell(album, "the album was emptied there; its photos are put into it again")
        lost: list[tuple[bytes, str]] = []
        last = 0
        while some := self._do(partial(there.stored, album_id=album.id, after=last, most=_ASKED)):
            photos = [Asked(one.name, one.digests, one.size) for one in some]
            for one, verdict in zip(some, self._target.ask(self._http, album.name, photos), strict=True):
                if verdict is None:
                    lost.append((one.path, f"{self._target.address} does not have it any more"))
                elif verdict.kind is VerdictKind.REJECTED:
                    lost.append((one.path, verdict.reason))
            last = some[-1].id
        return lost

    def _was_emptied(self, album: Album, found: ServerAlbum) -> bool:
        """It shows no photo: is one that was put into it not there any more? If so, some are again."""
        last = 0
        while some := self._do(partial(there.placed_ids, album_id=album.id, after=last, most=_MOST)):
            try:
                if self._target.place_again(self._http, found, [remote_id for _, remote_id in some]):
                    return True
            except AlbumGone:
                return False
            last = some[-1][0]
        return False

    def _know(self, album: Album, found: ServerAlbum) -> None:
        if self._ids.get(album.id) != found.id:
            self._do(lambda journal: journal.album_known(album.id, found.id))
            self._ids[album.id] = found.id

    def _start_over(self, album: Album) -> None:
        """It was deleted there: all its photos are owed their place in the next one."""

        def forget(journal: Journal) -> None:
            journal.album_known(album.id, None)
            journal.owe(album.id)

        self._do(forget)
        self._ids[album.id] = None
        self._tell(album, "the album was deleted there; it is made again, with all its photos that are there")

    def _open(self, album: Album) -> ServerAlbum:
        """The server's album, made if there is none yet."""
        found = self.look(album)
        if found is None:
            del self._found[album.id]  # should the answer be lost, it is found by the next look
            made = self._target.make_album(self._http, album.name)
            found = self._target.settle_on(self._http, album.name, made)
            self.requests += 1
            self._know(album, found)
            self._found[album.id] = found
        return found

    def place(self, album: Album) -> int:
        """Put up to ``_MOST`` stored photos into their album; how many were put there, or refused for good."""

        def next_ones(journal: Journal) -> list[tuple[int, str]]:
            journal.drop_clips(album.id)
            journal.rest_clips(album.id)
            return journal.owed(album.id, _MOST)

        self._join(album)
        owed = self._do(next_ones)
        if not owed:
            return 0
        place = self._open(album)
        try:
            refused = self._target.place(self._http, place, [remote_id for _, remote_id in owed])
        except AlbumGone:
            del self._found[album.id]
            return 0

        self.requests += 1

        def record(journal: Journal) -> None:
            for (task_id, _), why_not in zip(owed, refused, strict=True):
                journal.placed(task_id, f"not put into the album: {why_not}" if why_not else "")
            runs.touch(journal, album.id)

        self._do(record)
        return len(owed)

    def _join(self, album: Album) -> None:
        """Stills that were there before their clips are one with them once those are there, too."""
        refused: Counter[str] = Counter()
        for task_id, still, clip in self._do(lambda journal: journal.parted(album.id, _MOST)):
            why_not = self._target.join(self._http, still, clip)
            self.requests += 1
            self._do(partial(Journal.joined, task_id=task_id, well=not why_not))
            if why_not:
                refused[why_not] += 1
        for why_not, count in refused.items():
            went = "a live photo" if count == 1 else f"{count} live photos"
            words = f"{went} went in two files, still and clip, and cannot be joined: {why_not}"
            self._tell(album, f"{words}. Where the server does not do it: albumup retry-failed {quoted(album.name)}")

    def share(self, album: Album) -> str:
        """The album's share link, journaled."""
        for last in (False, True):
            try:
                link = self._target.share_link(self._http, self._open(album))
                break
            except AlbumGone:
                del self._found[album.id]
                if last:
                    raise Unasked("the album is there, and is not there when it is to be shared") from None
        self.requests += 1
        self._do(lambda journal: journal.shared(album.id, link.url))
        if link.words:
            self._tell(album, link.words)
        return link.url


class Keeper(threading.Thread):
    """Does the work of a run's albums, beside the sending."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="albums", daemon=True)
        self._engine = engine
        self._works: dict[str, AlbumWork] = {}
        self._placed_at: dict[int, float] = {}

    def run(self) -> None:
        engine = self._engine
        try:
            while not engine.dispatch.ended.is_set():
                with engine.dispatch.cond:
                    lanes = [lane for lane in engine.dispatch.lanes.values() if self._may_work(lane)]
                    albums = list(engine.dispatch.albums.values())
                for lane in lanes:
                    self._keep_all(lane, [album for album in albums if album.target == lane.target.name])
                engine.dispatch.to_keep.wait(_LOOK_SECONDS)
                engine.dispatch.to_keep.clear()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the run must hear of it
            engine.fail(error)
        finally:
            engine.dispatch.wake.set()

    def _may_work(self, lane: Lane) -> bool:
        is_ours = lane.target.keeps_albums and lane.albums_closing is None
        return is_ours and lane.may_ask(time.monotonic())

    def _keep_all(self, lane: Lane, albums: list[Album]) -> None:
        """Do what is owed of a target's albums now, if anything."""
        engine, before = self._engine, 0
        try:
            work = self._works.get(lane.target.name)
            if work is None:
                work = AlbumWork(lane.target, lane.target.http(), self._do, self._told)
                self._works[lane.target.name] = work
            before = work.requests
            for album in albums:
                work.look(album)
            with engine.dispatch.cond:
                lane.is_ready = True
                engine.dispatch.cond.notify_all()
            for album in albums:
                self._keep(work, album)
        except Unasked as unasked:
            engine.dispatch.unanswered(lane, unasked)
        except NotAllowed as refused:
            engine.dispatch.close_albums(lane, refused)
        except AlbumupError as error:
            engine.dispatch.close_lane(lane, error)
        else:
            if work.requests > before:
                engine.dispatch.answered(lane)
        engine.dispatch.wake.set()

    def _keep(self, work: AlbumWork, album: Album) -> None:
        engine = self._engine
        owed = self._do(lambda journal: journal.owed_count(album.id, _MOST))
        waited = time.monotonic() - self._placed_at.setdefault(album.id, time.monotonic())
        if owed and (owed == _MOST or waited >= _GATHERING or not engine.is_sending()):
            self._placed_at[album.id] = time.monotonic()
            while work.place(album) == _MOST:
                pass
            self._settled(album)
        if self._do(lambda journal: runs.owes_share(journal, album.id)):
            engine.recording.told_of_album("shared", album, url=work.share(album))
            self._settled(album)

    def _told(self, album: Album, what: str) -> None:
        self._engine.recording.told_of_album("album", album, words=what)

    def _settled(self, album: Album) -> None:
        self._do(lambda journal: self._engine.recording.settled(journal, album.id))

    def _do(self, change: Callable[[Journal], T]) -> T:
        return self._engine.recorder.do(change).wait()
