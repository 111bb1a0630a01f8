"""The state of files at a first look, in a temporary table, so that memory stays flat."""

from __future__ import annotations

import os

from albumup.journal.journal import Journal


class Looks:
    """The first look of one push, on the journal's own connection."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[tuple[bytes, str]] = []
        connection = journal.connection
        connection.execute("pragma temp_store = file")
        connection.execute("drop table if exists temp.looked")
        connection.execute("create temp table looked (path blob primary key, stamp text)")

    def note(self, path: bytes, info: os.stat_result) -> None:
        self._waiting.append((path, _stamp(info)))
        if len(self._waiting) >= 1000:
            self._flush()

    def is_as_noted(self, path: bytes, info: os.stat_result) -> bool:
        """Whether a file is as it was at the first look; False for a file that was not there."""
        self._flush()
        rows = self._journal.rows("select stamp from temp.looked where path = ?", path)
        return bool(rows) and rows[0]["stamp"] == _stamp(info)

    def _flush(self) -> None:
        if self._waiting:
            self._journal.connection.executemany(
                "insert or replace into temp.looked (path, stamp) values (?, ?)", self._waiting
            )
            self._waiting.clear()


def _stamp(info: os.stat_result) -> str:
    """A text that changes when a file is written to."""
    return f"{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino}"
