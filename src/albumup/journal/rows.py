"""The frozen values that the journal hands out, and how they are read."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from albumup.journal.states import DONE, Stage, is_in
from albumup.photos.pins import Pins


def stored(number: int) -> int | str:
    """A number of stat as journaled: beyond SQLite's 63 bits it is text. ``int`` reads both.

    Inodes of mergerfs, CIFS and FUSE are so large, and times (ns) before 1677 or after 2262.
    https://sqlite.org/datatype3.html
    """
    return number if -(1 << 63) <= number < 1 << 63 else str(number)


def plain(text: str | None) -> str | None:
    """Text that SQLite accepts: strings from JSON may hold half a surrogate pair, which cannot be
    encoded."""
    return (
        text if text is None or text.isascii() else text.encode(errors="backslashreplace").decode()
    )


class Body(Struct, frozen=True):
    """A prepared request body: ``head + payload + tail``; see docs/design.md."""

    head: bytes | None
    """None if it would hold the token, which is never journaled; then it is framed while
    sending."""
    tail: bytes
    boundary: str
    content_type: str
    length: int | None
    """Bytes of the whole body; None if ``head`` is None."""
    pins: Pins
    digests: dict[str, str]
    """Algorithm ("sha256", "sha1", "md5") to lower-case hex."""
    taken: str | None
    """The capture date in one of the fields: ISO 8601 with offset."""
    spool: str | None
    """The name of the payload's copy in the spool folder."""
    definition: int | None = None
    """The number of the definition it was framed under; None: before these were kept."""


class Task(Struct, frozen=True):
    """A task, with all that reading and sending its photo needs."""

    id: int
    album_id: int
    album: str
    root_id: int
    path: bytes
    relative: bytes
    volume: str
    card: int
    """Tells cards apart that share their volume's id or have none."""
    mime: str
    size: int
    position: int
    total: int
    tries: int
    attempts: int
    refunds: int
    maybe_twice: bool
    spool: bool
    seen: tuple[int, int]
    """Size (bytes) and modification time (ns) of the photo when it was last looked at."""
    sent_as: str | None
    body: Body | None
    """None until the photo was read and framed."""
    clip_id: str = ""
    """For a live photo's still: the server's id of the clip, once it has that; else ""."""
    sidecar_path: bytes | None = None
    """The path of the XMP file that goes along."""
    sidecar: bytes | None = None
    """The content of that file, if the body's head is still to be framed."""


class Framed(Struct, frozen=True):
    """A task with its new body. ``sent_as``: the photo's name there; ``then``: its next stage."""

    task: Task
    body: Body
    sent_as: str
    then: Stage = Stage.READY


class Root(Struct, frozen=True):
    """A folder that a push named, or that of a file it named, and the medium it lies on."""

    id: int
    path: bytes
    volume: str
    card: int
    is_folder: bool


class Album(Struct, frozen=True):
    """A named batch on one target."""

    id: int
    name: str
    target: str
    held: bool
    remote_id: str | None = None
    """The server's id of it, once it was found or made there."""
    share: str | None = None
    """The URL of its share link, or of its page."""


class TryCounts(Struct, frozen=True):
    """The ``tries`` of a task's present set, and its refunds ever: of attempts while the line was
    down, of whole bodies, of cut ones, of 429s."""

    tries: int
    refunds: int
    back_whole: int = 0
    back_cut: int = 0
    back_429: int = 0


class Pause(Struct, frozen=True):
    """The pause of a sick target: its beginning (Unix seconds), the reason, and how many photos it
    has spent."""

    since: float
    words: str
    spent: int


class CutOff(Struct, frozen=True):
    """A task found ``sending`` while nobody held the lock."""

    task_id: int
    album_id: int
    target: str
    whole_at: float | None


TASK = f"""
select task.id, task.album_id, album.name, task.root_id,
    photo.path, photo.relative, photo.volume, photo.card, photo.mime,
    task.size, task.position, task.total, task.tries, task.attempts, task.refunds,
    task.maybe_twice, task.spool, photo.size, photo.mtime_ns, task.sent_as,
    body.head, body.tail, body.boundary, body.content_type, body.length, body.taken, body.spool,
    body.sha256, body.sha1, body.md5, body.size, body.mtime_ns, body.inode, body.ctime_ns,
    case when task.clip_id is not null then
        (select remote_id from task clip
        where clip.id = task.clip_id and {is_in(*DONE, table="clip")}) end,
    sidecar.path, case when body.head is null
        or {is_in(Stage.UNPAIRED, Stage.STALE, table="task")} then sidecar.content end,
    body.definition_id
from task
join photo on photo.id = task.photo_id
join album on album.id = task.album_id
left join body on body.task_id = task.id
left join sidecar on sidecar.task_id = task.id
"""
"""The query of ``tasks``, without its condition."""


def tasks(connection: sqlite3.Connection, condition: str, values: Sequence[Any]) -> list[Task]:
    """The tasks that a condition on ``TASK`` selects."""
    cursor = connection.cursor()
    cursor.row_factory = None  # plain tuples take half the time
    return [_task_of(row) for row in cursor.execute(TASK + condition, values).fetchall()]


def _task_of(row: tuple[Any, ...]) -> Task:
    """The task in a row of ``TASK``, by position: looking up three dozen names would take longer
    than the query."""
    (
        task_id, album_id, album, root_id,
        path, relative, volume, card, mime,
        size, position, total, tries, attempts, refunds,
        maybe_twice, spool, seen_size, seen_mtime_ns, sent_as,
        head, tail, boundary, content_type, length, taken, copy,
        sha256, sha1, md5, *pins,
        clip_id, sidecar_path, sidecar, definition,
    ) = row  # fmt: skip
    body = None
    if boundary is not None:  # else the left join found no body
        digests = {"sha256": sha256}
        if sha1:
            digests["sha1"] = sha1
        if md5:
            digests["md5"] = md5
        known = Pins(*map(int, pins))
        body = Body(
            head, tail, boundary, content_type, length, known, digests, taken, copy, definition
        )
    return Task(
        task_id, album_id, album, root_id,
        path, relative, volume, card, mime,
        size, position, total, tries, attempts, refunds,
        maybe_twice == 1, spool == 1, (seen_size, int(seen_mtime_ns)), sent_as,
        body, clip_id or "", sidecar_path, sidecar,
    )  # fmt: skip
