"""Is what was pushed on the server, and unchanged here? Asked of the server by digest, and of the disk byte by byte.

Nothing is believed that the journal says of the server; nothing is changed. One call looks at one album.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from albumup.body import AnotherVolume, Place, SourceChanged, SourceGone, read_source
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.targets.base import Asked, Target, VerdictKind
from albumup.transfer.http import Http

_AT_A_TIME = 1000
_NOBODYS = re.compile(
    rb"(?is)\.DS_Store|\._.*|Thumbs\.db|desktop\.ini|\.nomedia|\.metadata_never_index|.*\.LRV|.*\.THM|SYNOFILE_THUMB_.*"
)
_PUSHED = "id in (select root_id from photo where album_id = ? union select root_id from pushed where album_id = ?)"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of one file. ``is_photo`` False: something else that lies in the pushed folder."""

    path: bytes
    why_not: str
    """ "": it is proven."""
    is_photo: bool = True


@dataclass(frozen=True, slots=True)
class _Entry:
    """A photo of the album, as the newest of its tasks has it."""

    id: int
    path: bytes
    place: Place
    name: str
    digests: dict[str, str]
    sidecar: tuple[bytes, str | None, bool] | None
    """Path, SHA-256 and whether it was sent."""


def verify(journal: Journal, album: Album, target: Target) -> Iterator[Proof]:
    """Every photo of the album, then whatever else lies in the folders that were pushed to it.

    Raises Unasked and ConfigError as ``Target.ask`` does.
    """
    http = target.http()
    accounted: set[bytes] = set()
    others: list[Proof] = []
    for some in _entries(journal, album.id):
        verdicts = _asked(target, http, album.name, some)
        for entry, on_server in zip(some, verdicts, strict=True):
            accounted.add(entry.path)
            yield Proof(entry.path, on_server or _here(entry))
            if entry.sidecar is not None:
                accounted.add(entry.sidecar[0])
                if why_not := _sidecar_here(*entry.sidecar):
                    others.append(Proof(entry.sidecar[0], why_not, is_photo=False))
    yield from others
    for row in journal.rows(f"select distinct path from root where is_folder and {_PUSHED}", album.id, album.id):
        for path, why_not in _files_in(row["path"]):
            if path not in accounted:
                accounted.add(path)
                is_sidecar = path.lower().endswith((b".xmp", b".aae"))
                yield Proof(path, "a sidecar that was not sent" if is_sidecar else why_not, is_photo=False)


def is_by_name(journal: Journal, album: Album) -> bool:
    """Were files pushed by their names, so that the folders they lie in are none of ours?"""
    return bool(journal.rows(f"select 1 from root where not is_folder and {_PUSHED} limit 1", album.id, album.id))


def _entries(journal: Journal, album_id: int) -> Iterator[list[_Entry]]:
    last = 0
    while rows := journal.rows(
        "select task.id, photo.path, photo.volume, photo.device, task.sent_as, body.sha256, body.sha1, body.md5,"
        " sidecar.path as beside, sidecar.sha256 as beside_sha256, sidecar.sent as beside_sent"
        " from task join photo on photo.id = task.photo_id left join body on body.task_id = task.id"
        " left join sidecar on sidecar.task_id = task.id"
        " where task.album_id = ? and task.id > ? and not exists"
        " (select 1 from task newer where newer.photo_id = task.photo_id and newer.id > task.id)"
        " order by task.id limit ?",
        album_id,
        last,
        _AT_A_TIME,
    ):
        yield [
            _Entry(
                row["id"],
                row["path"],
                Place(row["volume"], row["device"]),
                row["sent_as"] or os.path.basename(os.fsdecode(row["path"])),
                {name: row[name] for name in ("sha256", "sha1", "md5") if row[name]},
                (row["beside"], row["beside_sha256"], bool(row["beside_sent"])) if row["beside"] is not None else None,
            )
            for row in rows
        ]
        last = rows[-1]["id"]


def _asked(target: Target, http: Http, album: str, entries: Sequence[_Entry]) -> list[str]:
    """For each photo "" if the server has the journaled bytes, else why that is not so."""
    verdicts = target.ask(http, album, [Asked(entry.name, entry.digests) for entry in entries])
    found = []
    for entry, verdict in zip(entries, verdicts, strict=True):
        if not entry.digests:
            found.append("it was never read, so nobody can be asked about it")
        elif verdict is None:
            found.append(f"{target.address} does not have it")
        elif verdict.kind in (VerdictKind.STORED, VerdictKind.DUPLICATE):
            found.append("")
        else:
            found.append(verdict.reason)
    return found


def _here(entry: _Entry) -> str:
    """ "" if the file has the journaled bytes still, else why that is not so."""
    try:
        digests = read_source(entry.path, ["sha256"], place=entry.place)[1]
    except SourceGone as gone:
        return f"it cannot be read here: {gone}"
    except SourceChanged:
        return "it is being written to"
    except AnotherVolume as other:
        return str(other)
    return "" if digests["sha256"] == entry.digests["sha256"] else "it has changed here since it was sent"


def _sidecar_here(path: bytes, sha256: str | None, was_sent: bool) -> str:
    if not was_sent:
        return "a sidecar that was not sent" if os.path.lexists(path) else ""
    try:
        same = read_source(path, ["sha256"])[1]["sha256"] == sha256
    except SourceGone:
        return ""
    except SourceChanged:
        same = False
    return "" if same else "a sidecar that has changed since it was sent"


def _files_in(folder: bytes) -> Iterator[tuple[bytes, str]]:
    """Everything below a folder that is no folder and not what systems leave everywhere; and what cannot be listed."""
    unread: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unread.append):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in sorted([*names, *links]):
            if not _NOBODYS.fullmatch(name):
                yield os.path.join(place, name), "not in the album"
    for error in unread:
        yield os.fsencode(error.filename or folder), f"cannot be looked into: {error.strerror}"
