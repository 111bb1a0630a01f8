"""Works on the server's albums: finds or makes them, puts stored photos in, shares them.

Each step is journaled once the server has confirmed it; a step that fails or is cut off is
repeated.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from albumup.errors import AlbumupError
from albumup.helpers import Work
from albumup.journal import runs, there
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.targets.base import (
    AlbumGone,
    Asked,
    NotAllowed,
    ServerAlbum,
    Target,
    Unasked,
    VerdictKind,
)
from albumup.transfer.http import Http
from albumup.uploader.asking import confirm
from albumup.uploader.commands import album_command
from albumup.uploader.https import Https
from albumup.uploader.run import Run
from albumup.uploader.upstream import Upstream

T = TypeVar("T")

_LOOK_SECONDS = 0.25
_ASKED = 5000
_MOST = 1000
"""Photos put into an album by one request."""
_GATHERING = 10.0
"""Seconds of gathering stored photos for one request while others are being sent."""


class Do(Protocol):
    """Makes a durable change of the journal, and returns the result of ``change``."""

    def __call__(self, change: Callable[[Journal], T], /) -> Awaitable[T]: ...


class Call(Protocol):
    """Asks the server something, and returns the result of ``function``."""

    def __call__(self, function: Callable[..., T], /, *args: Any) -> Awaitable[T]: ...


def directly(journal: Journal) -> Do:
    """A ``Do`` that makes changes here and now; the caller holds the uploader's lock."""

    async def do(change: Callable[[Journal], T], /) -> T:
        with journal.transaction():
            return change(journal)

    return do


async def call_here(function: Callable[..., T], /, *args: Any) -> T:
    """A ``Call`` that asks here and now, blocking the loop."""
    return function(*args)


class AlbumWork:
    """Works on one target's albums. Methods raise as the target's do: Unasked, ConfigError."""

    def __init__(
        self,
        target: Target,
        http: Http,
        do: Do,
        tell: Callable[[Album, str], None],
        call: Call = call_here,
    ) -> None:
        """``tell`` is called with (album, words) for something that the user should know."""
        self.http = http
        self._target, self._do, self._tell, self._call = target, do, tell, call
        self.requests = 0
        """The number of answers from the server."""
        self._ids: dict[int, str | None] = {}
        """The server's id of each album, as journaled."""
        self._found: dict[int, ServerAlbum | None] = {}

    async def look(self, album: Album) -> ServerAlbum | None:
        """Find the server's album, once. Two of one name, or a missing permission, must show before
        photos are sent."""
        if album.id in self._found:
            return self._found[album.id]
        known = self._ids.setdefault(album.id, album.remote_id)
        found = await self._call(self._target.find_album, self.http, album.name, known)
        self.requests += 1
        if known is not None and (found is None or found.id != known):
            await self._start_over(album)
        if found is not None:
            await self._know(album, found)
        self._found[album.id] = found
        if found is not None and found.id == known:
            await self._look_at_link(album)
        return found

    async def _look_at_link(self, album: Album) -> None:
        """Forget a share link that the server no longer has; a new one is made if asked for."""
        if (
            album.share is None
            or not self._target.can_share
            or await self._call(self._target.has_link, self.http, album.share)
        ):
            return
        await self._do(lambda journal: journal.unshared(album.id))
        self._tell(album, f"its share link is no more: {album.share}")

    async def look_again(self, album: Album) -> list[tuple[bytes, str]]:
        """Ask whether photos sent earlier are still there: the paths of missing ones, with reasons.

        An album that was deleted or emptied on the server gets all its photos again.
        """
        found = await self.look(album)
        if found is not None and found.photos == 0 and await self._was_emptied(album, found):
            await self._do(lambda journal: journal.renew_members(album.id))
            self._tell(album, "the album was emptied there; its photos are put into it again")
        lost: list[tuple[bytes, str]] = []
        last = 0
        while some := await self._do(
            partial(there.stored, album_id=album.id, after=last, most=_ASKED)
        ):
            photos = [Asked(one.name, one.digests, one.size) for one in some]
            for one, verdict in zip(
                some,
                await self._call(self._target.ask, self.http, album.name, photos),
                strict=True,
            ):
                if verdict is None:
                    lost.append((one.path, f"{self._target.address} does not have it any more"))
                elif verdict.kind is VerdictKind.REJECTED:
                    lost.append((one.path, verdict.reason))
            last = some[-1].id
        return lost

    async def _was_emptied(self, album: Album, found: ServerAlbum) -> bool:
        """For an album that shows no photo: are photos missing that were put into it? This puts
        some of them back."""
        last = 0
        while some := await self._do(
            partial(there.placed_ids, album_id=album.id, after=last, most=_MOST)
        ):
            try:
                if await self._call(
                    self._target.place_again,
                    self.http,
                    found,
                    [remote_id for _, remote_id in some],
                ):
                    return True
            except AlbumGone:
                return False
            last = some[-1][0]
        return False

    async def _know(self, album: Album, found: ServerAlbum) -> None:
        if self._ids.get(album.id) != found.id:
            await self._do(lambda journal: journal.album_known(album.id, found.id))
            self._ids[album.id] = found.id

    async def _start_over(self, album: Album) -> None:
        """Note that the album was deleted on the server: all its photos go into the next one."""

        def forget(journal: Journal) -> None:
            journal.album_known(album.id, None)
            journal.renew_members(album.id)

        await self._do(forget)
        self._ids[album.id] = None
        self._tell(
            album,
            "the album was deleted there; it is made again, with all its photos that are there",
        )
        if album.share is not None and self._target.can_share:
            self._tell(album, f"its share link is no more: {album.share}")

    async def _open(self, album: Album) -> ServerAlbum:
        """The server's album, which is made if there is none yet."""
        found = await self.look(album)
        if found is None:
            del self._found[album.id]  # if the answer is lost, the next look finds the new album
            made = await self._call(self._target.make_album, self.http, album.name)
            found = await self._call(self._target.settle_on, self.http, album.name, made)
            self.requests += 1
            await self._know(album, found)
            self._found[album.id] = found
        return found

    async def place(self, album: Album) -> int:
        """Put up to ``_MOST`` stored photos into their album; how many are in or refused now."""

        def next_ones(journal: Journal) -> list[tuple[int, str]]:
            journal.drop_clips(album.id)
            journal.rest_clips(album.id)
            return journal.members_pending(album.id, _MOST)

        await self._join(album)
        pending = await self._do(next_ones)
        if not pending:
            return 0
        place = await self._open(album)
        try:
            refused = await self._call(
                self._target.place, self.http, place, [remote_id for _, remote_id in pending]
            )
        except AlbumGone:
            del self._found[album.id]
            return 0

        self.requests += 1

        def record(journal: Journal) -> None:
            for (task_id, _), why_not in zip(pending, refused, strict=True):
                journal.placed(task_id, f"not put into the album: {why_not}" if why_not else "")
            runs.touch(journal, album.id)

        await self._do(record)
        return len(pending)

    async def _join(self, album: Album) -> None:
        """Join stills that were on the server before their clips with those clips."""
        refused: Counter[str] = Counter()
        for task_id, still, clip in await self._do(lambda journal: journal.parted(album.id, _MOST)):
            why_not = await self._call(self._target.join, self.http, still, clip)
            self.requests += 1
            await self._do(partial(Journal.joined, task_id=task_id, well=not why_not))
            if why_not:
                refused[why_not] += 1
        for why_not, count in refused.items():
            went = "a live photo" if count == 1 else f"{count} live photos"
            again = await self._do(lambda journal: album_command(journal, "retry-failed", album))
            words = f"{went} went in two files, still and clip, and cannot be joined: {why_not}"
            self._tell(
                album,
                f"{words}. Where the server does not do it: {again}",
            )

    async def share(self, album: Album) -> str:
        """The album's share link, journaled."""
        for last in (False, True):
            try:
                link = await self._call(self._target.share_link, self.http, await self._open(album))
                break
            except AlbumGone:
                del self._found[album.id]
                if last:
                    raise Unasked(
                        "the album was found, and was gone when it was to be shared"
                    ) from None
        self.requests += 1
        await self._do(lambda journal: journal.shared(album.id, link.url))
        if link.words:
            self._tell(album, link.words)
        return link.url


class AlbumWorker:
    """Works on the albums of a run while photos are sent."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._works: dict[Target, AlbumWork] = {}
        """A target that is redefined has albums of its own: it may be another server."""
        self._https = Https(run.world, run.sleep)
        self._placed_at: dict[int, float] = {}

    async def work(self) -> None:
        queue = self._run.queue
        try:
            while not queue.has_ended:
                albums = queue.going()
                for upstream in [
                    upstream for upstream in queue.upstreams.values() if self._may_work(upstream)
                ]:
                    await self._work_for(
                        upstream,
                        [album for album in albums if album.target == upstream.target.name],
                    )
                await queue.to_place.wait(_LOOK_SECONDS)
        finally:
            queue.to_end.ring()

    def _may_work(self, upstream: Upstream) -> bool:
        is_ours = upstream.target.keeps_albums and upstream.albums_closing is None
        return is_ours and upstream.may_ask(self._loop.time())

    async def _work_for(self, upstream: Upstream, albums: list[Album]) -> None:
        """Do the pending work on a target's albums."""
        run, before, wakes = self._run, 0, self._run.sleep.wakes
        try:
            http = self._https.of(upstream.target)
            work = self._works.get(upstream.target)
            if work is None:
                call = partial(self._call, upstream)
                work = AlbumWork(
                    upstream.target,
                    http,
                    run.commits.do,
                    self._tell_of_album,
                    call,
                )
                self._works[upstream.target] = work
            work.http, before = http, work.requests
            for album in albums:
                await work.look(album)
            if not upstream.is_ready:
                upstream.is_ready = True
                run.queue.changed.wake()
            for album in albums:
                await self._work_at(work, album)
        except Unasked as unasked:
            if not run.sleep.has_slept_since(wakes):  # else it is done again
                run.judge.unanswered(upstream, unasked)
        except NotAllowed as refused:
            run.judge.close_albums(upstream, refused)
        except AlbumupError as error:
            run.judge.close_upstream(upstream, error)
        else:
            if work.requests > before:
                run.judge.answered(upstream)
                run.queue.to_end.ring()

    async def _call(self, upstream: Upstream, function: Callable[..., T], /, *args: Any) -> T:
        run = self._run
        await confirm(run, upstream, self._https)
        return await run.world.helpers.run(Work.ALBUMS, function, *args)

    async def _work_at(self, work: AlbumWork, album: Album) -> None:
        run = self._run
        pending = await run.commits.read(
            lambda journal: journal.members_pending_count(album.id, _MOST)
        )
        waited = self._loop.time() - self._placed_at.setdefault(album.id, self._loop.time())
        if pending and (pending == _MOST or waited >= _GATHERING or not run.is_sending()):
            self._placed_at[album.id] = self._loop.time()
            while album.id not in run.queue.stopped and await work.place(album) == _MOST:
                pass
            await self._settled(album)
        if await run.commits.read(lambda journal: runs.is_share_pending(journal, album.id)):
            url = await work.share(album)
            run.outcomes.tell_of_share(album, url)
            await self._settled(album)

    def _tell_of_album(self, album: Album, what: str) -> None:
        self._run.outcomes.tell_of_album(album, what)

    async def _settled(self, album: Album) -> None:
        await self._run.commits.do(lambda journal: self._run.outcomes.settled(journal, album.id))
