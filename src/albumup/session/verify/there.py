"""Asks the server for an album's photos by digest, then looks at or downloads each original."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import DONE, State
from albumup.journal.there import all_photos
from albumup.photos.file_names import text_of
from albumup.session.verify.findings import Copy, There
from albumup.targets.base import Asked, Original, Target, Verdict, VerdictKind
from albumup.transfer.http import Http

_AT_A_TIME = 1000
_AT_ONCE = 4
_WORDS = {
    State.PENDING: "it is not sent yet",
    State.SENDING: "it is being sent",
    State.IN_DOUBT: "it is in doubt whether it was sent",
    State.CANCELLED: "it was cancelled, and not sent",
}


@dataclass(slots=True)
class Copies:
    """The photos of an album, also those of several cards at one path, and their sidecars."""

    by_digest: dict[bytes, Copy] = field(default_factory=dict)
    """SHA-256 to the copy of these bytes; if several photos have them, the best copy."""
    photos: list[tuple[bytes, Copy]] = field(default_factory=list)
    """Path and copy of each photo that was not cancelled."""
    by_path: dict[bytes, str] = field(default_factory=dict)
    """Path to the reason why its newest photo was not sent; "" if it was."""
    sidecars: dict[bytes, str | None] = field(default_factory=dict)
    """Path to the SHA-256 of the content that was sent; None if none was."""


def look_there(journal: Journal, album: Album, target: Target, *, deep: bool) -> Copies:
    """Ask about every photo of the album that was sent. ``deep``: download each original.

    Raises Unasked and ConfigError as ``Target.ask`` does.
    """
    copies = Copies()
    proving = _Proving(target, album.name, deep)
    with ThreadPoolExecutor(_AT_ONCE, "verify") as pool:
        for rows in all_photos(journal, album.id, _AT_A_TIME):
            sent = []
            for row in rows:
                if (copy := _enter(copies, row)) is not None:
                    sent.append((_asked_of(row), copy))
            held = _held(target, proving.http(), album.name, sent)
            for _ in pool.map(lambda one: proving.prove(*one), held):
                pass
    return copies


def _enter(copies: Copies, row: sqlite3.Row) -> Copy | None:
    """Add a photo; return its copy if the server is to be asked about it, None if not or if it was
    before."""
    state, path, size = State(row["state"]), row["path"], row["size"]
    was_sent = state in DONE and row["sha256"] is not None
    why_not = "" if was_sent else _WORDS.get(state) or f"it is {state}: {row['reason']}"
    copies.by_path[path] = why_not
    if row["beside"] is not None and row["beside_sent"] and was_sent:
        copies.sidecars[row["beside"]] = row["beside_sha256"]
    # It may have gone with another photo, or with an earlier task of this one.
    elif row["beside"] is not None:
        copies.sidecars.setdefault(row["beside"], None)
    digest = bytes.fromhex(row["sha256"] or "")
    if not was_sent:
        copy = Copy(size, There.NOTHING, why_not)
        if state is not State.CANCELLED:
            copies.photos.append((path, copy))
        if digest:
            copies.by_digest.setdefault(digest, copy)
        return None
    known = copies.by_digest.get(digest)
    if known is not None and known.level is not There.NOTHING:
        copies.photos.append((path, known))
        return None
    copies.by_digest[digest] = copy = Copy(size)
    copies.photos.append((path, copy))
    return copy


def _asked_of(row: sqlite3.Row) -> Asked:
    digests = {name: row[name] for name in ("sha256", "sha1", "md5") if row[name]}
    return Asked(row["sent_as"] or os.path.basename(text_of(row["path"])), digests, row["size"])


def _held(
    target: Target, http: Http, album: str, sent: Sequence[tuple[Asked, Copy]]
) -> list[tuple[Asked, Copy, Verdict]]:
    """The copies that the server says it has, with its verdicts; the others get their reason."""
    held = []
    verdicts = target.ask(http, album, [asked for asked, _ in sent]) if sent else []
    for (asked, copy), verdict in zip(sent, verdicts, strict=True):
        if verdict is None:
            copy.why_not = f"{target.address} does not have it"
        elif verdict.kind in (VerdictKind.STORED, VerdictKind.DUPLICATE):
            copy.level = There.HELD
            held.append((asked, copy, verdict))
        else:
            copy.why_not = verdict.reason
    return held


class _Proving:
    """Looks at originals. Several threads may use it, each with a connection of its own."""

    def __init__(self, target: Target, album: str, deep: bool) -> None:
        self._target, self._album, self._deep = target, album, deep
        self._local = threading.local()

    def http(self) -> Http:
        if not hasattr(self._local, "http"):
            self._local.http = self._target.http()
        http: Http = self._local.http
        return http

    def prove(self, asked: Asked, copy: Copy, verdict: Verdict) -> None:
        """Look at an original, or download it, and note the result in ``copy``. Raises Unasked,
        ConfigError."""
        if self._deep and (
            digest := self._target.read_back(self.http(), self._album, asked, verdict)
        ):
            if digest == asked.digests["sha256"]:
                copy.level = There.READ_BACK
            else:
                copy.why_not = f"{self._target.address} has other bytes under its name"
                copy.is_damaged = True
            return
        seen = self._target.see(self.http(), self._album, asked, verdict)
        if seen.original is Original.READABLE:
            copy.level = There.READABLE
        elif seen.original is Original.BROKEN:
            copy.why_not = seen.words
            copy.is_damaged = True
        else:
            copy.why_not = f"it is held there, and not seen: {seen.words}"
