"""Owes the user notices: decides when, and with which words.

A notice is owed in the transaction of its cause, so methods that take the journal are called inside
a transaction. The session delivers the notices.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from albumup.errors import AlbumupError, TryLater
from albumup.journal import notices, pauses, runs
from albumup.journal.journal import Journal
from albumup.journal.notices import Cause, Message, Notice
from albumup.journal.states import State
from albumup.journal.summary import Summary, summary_of
from albumup.photos.file_names import command, text_of
from albumup.uploader.commands import album_command, retry_command, target_command, way_back
from albumup.uploader.events import Listener, NoticeOwed
from albumup.uploader.kinds import kind_of
from albumup.uploader.options import Options
from albumup.uploader.queue import Queue
from albumup.uploader.upstream import Closing, Upstream

_HOUR, _DAY = 3600, 86400
_OURS = (1, 4)
"""The exit codes of troubles that wait for a person: credentials, quota, address, full disk."""
_HERE, _SPOOL = "notice here", "notice spool"
"""The journal's keys for a trouble of this computer, and for a disk with copies that is away."""


class Stopped(Struct, frozen=True):
    """Why a run has stopped for some albums. ``what``: the journal's key for the trouble."""

    what: str
    reason: Closing
    albums: Sequence[int]
    """The albums' ids."""
    target: str = ""


class Causes:
    """The notices of one run."""

    def __init__(self, queue: Queue, options: Options, listener: Listener) -> None:
        self.run_id = 0
        self._queue = queue
        self._options = options
        self._listener = listener

    def settled(self, journal: Journal, album_id: int) -> None:
        """Owe a notice that an album has settled, unless the last such notice said the same."""
        now = summary_of(journal, album_id)
        before = notices.last_settled(journal, album_id)
        upstream = self._queue.upstream_of(album_id)
        words = f"{now.album.name}: {_settled(now, upstream)}"
        message = replace(_of_albums([now]), words=words, exit=0)
        if upstream is not None:
            message = replace(message, title=upstream.target.title)
        if now.is_wanting:
            message = replace(message, exit=3, command=retry_command(journal, now))
        if before is None or before.counts != message.counts:
            target = now.album.target
            self._owe(journal, Cause.SETTLED, message, album_id=album_id, target=target)

    def sick(self, journal: Journal, upstream: Upstream, words: str, spent: int) -> None:
        """Note that a target's pause begins or goes on; owe a notice after ``tell_after``."""
        target = upstream.target
        pauses.sick(journal, target.name, words, spent)
        tell_after = self._options.tell_after(target.name)
        since = pauses.tell_unreachable(journal, target.name, tell_after)
        if since is None:
            return
        message = replace(
            self._of_target(journal, upstream),
            exit=75,
            words=f"{target.title} has not worked for {_lasted(journal, since)}: {words}",
            command=command("target check", [target.name]),
        )
        self._owe(journal, Cause.UNREACHABLE, message, target=target.name)

    def well(self, journal: Journal, upstream: Upstream) -> None:
        """Note that a target's pause ends; owe a notice of that if one said that it was down."""
        target = upstream.target
        since = pauses.well(journal, target.name)
        if since is not None:
            words = f"{target.title} works again, after {_lasted(journal, since)}"
            message = replace(self._of_target(journal, upstream), words=words)
            self._owe(journal, Cause.WELL, message, target=target.name)

    def ended(
        self, journal: Journal, closings: Mapping[str, Closing], unfinished: Collection[int]
    ) -> None:
        """Owe notices at the end of a run that nobody stopped.

        ``closings``: of the targets that were given up; ``unfinished``: ids of albums with
        something left.
        """
        notices.withdraw_faults(journal)
        for what in self._well(closings, unfinished):
            if runs.told(journal, what):  # if the trouble comes again, it is news again
                runs.tell(journal, what, "")
        for one in self._troubles(closings, unfinished):
            self._stopped(journal, one)

    def failed(self, journal: Journal, fault: AlbumupError, unfinished: Sequence[int]) -> None:
        """Owe a notice that the run ends because this machine or this program fails."""
        closing = Closing(fault.exit_code, str(fault), fault.hint)
        self._stopped(journal, Stopped(_key_for(fault), closing, unfinished))

    def _well(self, closings: Mapping[str, Closing], unfinished: Collection[int]) -> Iterator[str]:
        """The keys of troubles that are over at the end of a run.

        Their targets and roots were used without trouble, or are no longer needed.
        """
        yield _HERE
        upstreams = self._queue.upstreams
        never = float("-inf")
        accepted = [name for name, one in upstreams.items() if one.breaker.accepted_at > never]
        if accepted or not unfinished:  # a run that sent nothing has perhaps needed no copy
            yield _SPOOL
        for name in upstreams:
            if name not in closings and (name in accepted or not self._of(name, unfinished)):
                yield _at(name)
        roots = self._queue.roots  # two cards may have been at one path
        needed = {root.path for root_id, root in roots.items() if self._with(root_id, unfinished)}
        for path in {root.path for root in roots.values()} - needed:
            yield _below(path)

    def _troubles(
        self, closings: Mapping[str, Closing], unfinished: Collection[int]
    ) -> Iterator[Stopped]:
        """The troubles that keep albums from being sent until a person acts."""
        for name, closing in closings.items():
            albums = self._of(name, unfinished)
            if albums and closing.exit_code in _OURS:
                yield Stopped(_at(name), closing, albums, name)
        for path, (why, albums) in self._away(unfinished).items():
            hint = f"{way_back(why)}, then: albumup resume"
            closing = Closing(75, f"{text_of(path)}: {why}", hint)
            yield Stopped(_below(path), closing, albums)

    def _away(self, unfinished: Collection[int]) -> dict[bytes, tuple[str, list[int]]]:
        """By path, why a root with unsent photos is away, and the albums that wait for it.

        Several cards may have been at one path: as at the end of the run, the last one's words
        count.
        """
        found: dict[bytes, tuple[str, list[int]]] = {}
        for root_id, why in self._queue.away.items():
            if albums := self._with(root_id, unfinished):
                path = self._queue.roots[root_id].path
                others = found[path][1] if path in found else []
                found[path] = why, sorted({*others, *albums})
        return found

    def _of(self, target: str, album_ids: Iterable[int]) -> list[int]:
        """The albums of ``album_ids`` that go to a target."""
        return [one for one in album_ids if self._queue.albums[one].target == target]

    def _with(self, root_id: int, album_ids: Iterable[int]) -> list[int]:
        """The albums of ``album_ids`` with unsent photos below a root."""
        return [one for one in album_ids if root_id in self._queue.album_roots.get(one, ())]

    def _stopped(self, journal: Journal, one: Stopped) -> None:
        """Owe a notice of a trouble, once until it is over, unless somebody watches the run."""
        if not self._is_new(journal, one) or self._options.is_watched:
            return
        found = _notice_of(journal, one)
        message, target = found.message, found.target
        if upstream := self._queue.upstreams.get(target):
            message = replace(message, title=upstream.target.title)
        key = found.key if one.what in (_HERE, _SPOOL) else ""
        self._owe(journal, Cause.STOPPED, message, album_id=found.album_id, target=target, key=key)

    def _is_new(self, journal: Journal, one: Stopped) -> bool:
        """Whether a kind of trouble is news; from now on it is not."""
        return note_told(journal, one.what, one.reason.words)

    def _owe(
        self,
        journal: Journal,
        cause: Cause,
        message: Message,
        *,
        album_id: int | None = None,
        target: str = "",
        key: str = "",
    ) -> None:
        own = replace(message, run=self.run_id)
        notices.owe(journal, cause, own, album_id=album_id, target=target, key=key)
        event = NoticeOwed(journal.clock(), message.album, target or None, cause.value)
        journal.after_commit(lambda: self._listener(event))

    def _of_target(self, journal: Journal, upstream: Upstream) -> Message:
        """The sums of a target's albums, and the name of the only unfinished one."""
        name = upstream.target.name
        ids = [album.id for album in runs.albums(journal) if album.target == name]
        found = [summary_of(journal, album_id) for album_id in ids]
        left = [one.album.name for one in found if one.is_unfinished]
        album = left[0] if len(left) == 1 else None
        return replace(_of_albums(found), album=album, title=upstream.target.title)


def unwritten(
    journal: Journal, fault: AlbumupError, album_ids: Iterable[int], run_id: int
) -> Notice | None:
    """The notice of a fault that ended the run, to be told although the journal takes no changes.

    Its id is 0 if the journal does not hold it; its key is the same for each process that meets the
    fault. None: the fault was told before. ``album_ids``: of all albums of the command.
    """
    if _is_known(journal, _key_for(fault), str(fault)):
        return notices.of_fault(journal, run_id)
    unfinished = [one for one in album_ids if runs.is_unfinished(journal, one)]
    closing = Closing(fault.exit_code, str(fault), fault.hint)
    return _notice_of(journal, Stopped(_key_for(fault), closing, unfinished))


def note_unwritten(journal: Journal, notice: Notice) -> None:
    """Note that a notice of ``unwritten`` was told: the fault is no news until it is over."""
    what = _SPOOL if notice.message.exit == TryLater.exit_code else _HERE
    note_told(journal, what, notice.message.words)


def note_told(journal: Journal, what: str, words: str) -> bool:
    """Note that a kind of trouble was told; True if that is news."""
    if _is_known(journal, what, words):
        return False
    known = json.loads(runs.told(journal, what) or "[]")
    return runs.tell(journal, what, json.dumps([*known, kind_of(words)]))


def _key_for(fault: AlbumupError) -> str:
    return _SPOOL if isinstance(fault, TryLater) else _HERE


def _is_known(journal: Journal, what: str, words: str) -> bool:
    return kind_of(words) in json.loads(runs.told(journal, what) or "[]")


def _notice_of(journal: Journal, one: Stopped) -> Notice:
    """The notice of a trouble, which is not in the journal yet."""
    albums = [summary_of(journal, album_id) for album_id in one.albums]
    targets = {album.album.target for album in albums}
    target = targets.pop() if len(targets) == 1 else one.target
    message = replace(
        _of_albums(albums),
        title=target,
        exit=one.reason.exit_code,
        words=one.reason.words,
        hint=one.reason.hint,
        command=_way_on(journal, one, albums),
    )
    album_id = albums[0].album.id if len(albums) == 1 else None
    key = _key_of(journal, one)
    return Notice(0, key, Cause.STOPPED, album_id, target, journal.clock(), message, "")


def _key_of(journal: Journal, one: Stopped) -> str:
    """A notice's key by its trouble, and by the last run and the last such trouble in the journal.

    A process that cannot journal a notice tells it with the key of the next one.
    """
    last = runs.last(journal)
    since = (last.id, last.started) if last is not None else ()
    before = notices.last_of_fault(journal)
    told = journal.path, since, before, one.what, kind_of(one.reason.words)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _of_albums(found: Sequence[Summary]) -> Message:
    """The sums of albums, and the name of the only album."""
    return Message(
        album=found[0].album.name if len(found) == 1 else None,
        counts={state.value: sum(one.count(state) for one in found) for state in State},
        bytes={
            "total": sum(one.total_bytes for one in found),
            "sent": sum(one.there_bytes for one in found),
        },
    )


def _settled(now: Summary, upstream: Upstream | None) -> str:
    """The numbers of photos of a settled album that got to the server, and that did not."""
    verb = "copied" if upstream is not None and upstream.target.is_local else "sent"
    missing = f", {now.wanting} not" if now.wanting else ""
    outside = "; some could not be put into the album there" if now.is_refused else ""
    return f"{_photos(now.there)} {verb}{missing}{outside}"


def _way_on(journal: Journal, one: Stopped, albums: Sequence[Summary]) -> str:
    """The command to type after a run has stopped."""
    if one.reason.exit_code == 4 and one.target:
        return target_command(one.target, one.reason.hint)
    if len(albums) == 1:
        return album_command(journal, "resume", albums[0].album)
    return "albumup resume" if albums else ""


def _at(target: str) -> str:
    return f"notice target {target}"


def _below(root: bytes) -> str:
    return f"notice root {text_of(root)!a}"


def _photos(number: int) -> str:
    return "1 photo" if number == 1 else f"{number} photos"


def _lasted(journal: Journal, since: float) -> str:
    """A duration since ``since`` in one unit: "24 h", "3 days"."""
    seconds = max(0.0, journal.clock() - since)
    if seconds >= 2 * _DAY:
        return f"{int(seconds // _DAY)} days"
    if seconds >= _HOUR:
        return f"{int(seconds // _HOUR)} h"
    return f"{int(seconds // 60)} min" if seconds >= 60 else f"{int(seconds)} s"
