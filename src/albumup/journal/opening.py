"""Opens a journal: creates, migrates, refuses or sets it aside, and never harms it.

Creating and migrating happen under the lock ``JOURNAL.open``; ``application_id`` marks a file as
ours. A new journal is made under another name and renamed when it is whole. Else a crash could
leave a rollback journal, and readers, who open with ``mode=ro``, could not roll it back. Migrations
run in WAL mode, which has no rollback journal. https://sqlite.org/wal.html,
https://sqlite.org/lockingv3.html#hot_journals, https://sqlite.org/rescode.html
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from albumup.disk import fsync_folder, make_folder, room_for
from albumup.errors import AlbumupError, ConfigError, LocalError
from albumup.journal.connecting import BUSY_SECONDS, connect, is_connected
from albumup.journal.lock import FileLock, is_locked
from albumup.journal.migrations import APPLICATION_ID, VERSION, migrate
from albumup.photos.volumes import file_system_of

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "ocfs2", "gfs2", "lustre"}
)
_NETWORK_FUSE = frozenset({"fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "fuse.ceph"})
_HEADER_BYTES = 100
_READ_FAULT = re.compile(r"error code=([0-9]+)")
"""The words of ``quick_check`` for a page that could not be read, but may be sound."""
_SMALL = 64 << 20
_LITTLE = 1 << 20
"""With less free room, in bytes, no journal can work."""
_NARROW = 64 << 20
_LOG_PAGES, _LOG_PAGES_NARROW = 1000, 64
"""Pages of the write-ahead log until it is checkpointed; the second where less than ``_NARROW``
bytes are free."""


class CorruptJournal(LocalError):
    """The journal is ours, and damaged."""


def paths_of(journal: str) -> dict[str, str]:
    """The files beside a journal, by purpose: "lock", "open", "live", "spool", "log"."""
    return {
        "lock": journal + ".lock",
        "open": journal + ".open",
        "live": journal + ".live",
        "spool": journal + ".spool",
        "log": journal + ".log",
    }


def open_writer(path: str) -> sqlite3.Connection:
    """Return a connection that may write. The journal is created if it is missing, and migrated if
    it is older.

    Automatic checkpoints are off, because only the uploader checkpoints (:func:`checkpoint_here`).
    Raises ConfigError (not ours, newer, network file system), CorruptJournal, LocalError.
    """
    with local_faults(path):
        make_folder(os.path.dirname(path))
        _refuse_network(path)
        _refuse_foreign(path)  # before a lock file is made beside a file that is not ours
        with FileLock(paths_of(path)["open"]):
            _refuse_foreign(path)
            if not os.path.exists(path) or os.path.getsize(path) == 0:
                _refuse_leftovers(path)
                _create(path)
            connection = connect(path, "rw")
            try:
                _bring_up(path, connection)
            except BaseException:
                connection.close()
                raise
    return connection


def open_reader(path: str, *, stays: bool = False) -> sqlite3.Connection | None:
    """Return a connection that only reads; None if there is no journal yet.

    ``stays``: it is to see what others write later, too. A journal of an older version is copied
    into memory and migrated there. Raises ConfigError (not ours, newer), CorruptJournal,
    LocalError.
    """
    with local_faults(path):
        if not os.path.exists(path):
            return None
        _refuse_foreign(path)
        if os.path.getsize(path) == 0:
            return None
        is_still = _is_still(path)
        if stays and os.access(os.path.dirname(path) or ".", os.W_OK):
            is_still = False  # somebody may begin to write; reading it makes the files beside it
        connection = connect(path, "ro", still=is_still)
        version = _number(connection, "user_version")
        if version == VERSION:
            return connection
        with closing(connection):
            _refuse_newer(path, version)
            return _brought_up(connection, version)


def _is_still(path: str) -> bool:
    """Is there no write-ahead log, or only what a full disk leaves of one?"""
    try:
        return os.path.getsize(path + "-wal") == 0 and has_no_room(path)
    except FileNotFoundError:
        return True


def journal_gone(path: str, pid: int | None = None) -> LocalError:
    """The error that a journal is gone from its place while process ``pid`` uploads from it."""
    what = "replaced by another one" if os.path.exists(path) else "moved or deleted"
    who = "a process" if pid is None else f"process {pid}"
    stop = "end that process" if pid is None else f"kill -INT {pid}"
    return LocalError(
        f"{path}: {what} while {who} uploads from it",
        "bring it back, with the files beside it (-wal, -shm); if it is deleted for good: "
        f"{stop}, then push again",
    )


def is_a_copy(reader: sqlite3.Connection) -> bool:
    """Is this what ``open_reader`` makes of a journal of an older version, which it copies?"""
    return not reader.execute("pragma database_list").fetchone()[2]


def open_for_a_word(path: str, patience: float) -> sqlite3.Connection | None:
    """A connection for one small write, which waits that many seconds at most for others; None if
    there is no journal of the present version. Raises sqlite3.Error."""
    if not os.path.exists(path):
        return None
    connection = connect(path, "rw")
    try:
        if _number(connection, "user_version") == VERSION:
            _set_up(connection)
            connection.execute(f"pragma busy_timeout = {int(patience * 1000)}")
            return connection
    except BaseException:
        connection.close()  # else this process could not read a journal on a read-only disk
        raise
    connection.close()
    return None


def checkpoint_here(connection: sqlite3.Connection) -> None:
    """Let this connection checkpoint the write-ahead log. The caller holds the uploader's lock."""
    path = connection.execute("pragma database_list").fetchone()[2]
    pages = _LOG_PAGES_NARROW if room_for(path) < _NARROW else _LOG_PAGES
    connection.execute(f"pragma wal_autocheckpoint = {pages}")


def check_whole(path: str, connection: sqlite3.Connection) -> None:
    """Raise CorruptJournal if a journal of up to 64 MiB is damaged. Checking a larger one would
    take too long."""
    with local_faults(path):
        if os.path.getsize(path) <= _SMALL:
            _judge(path, connection)


def _judge(path: str, connection: sqlite3.Connection) -> None:
    verdict = connection.execute("pragma quick_check(1)").fetchone()[0]
    if (found := _READ_FAULT.search(verdict)) and int(found[1]) & 0xFF == sqlite3.SQLITE_IOERR:
        raise _io_fault(path, verdict)
    if verdict != "ok":
        raise CorruptJournal(f"{path}: damaged: {verdict}")


def is_damaged(path: str) -> bool:
    """Check a journal again that seemed corrupt: perhaps the disk only failed to read it once.

    Raises LocalError if it cannot be read this time either.
    """
    try:
        with local_faults(path), closing(connect(path, "ro")) as connection:
            _judge(path, connection)
    except CorruptJournal:
        return True
    return False


def set_aside(path: str, now: float | None = None) -> str:
    """Rename a corrupt journal with its side files to ``.corrupt-TIME``; return its new path.

    ``now``: Unix seconds. The caller holds the uploader's lock. Nothing is deleted, so the journal
    may be salvaged.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    aside, number = f"{path}.corrupt-{stamp}", 1
    while os.path.lexists(aside):
        aside, number = f"{path}.corrupt-{stamp}-{number}", number + 1
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(path + suffix):
            os.rename(path + suffix, aside + suffix)
    return aside


@contextmanager
def local_faults(path: str) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into errors that name the journal."""
    try:
        yield
    except (AlbumupError, BrokenPipeError):
        raise
    except sqlite3.Error as error:
        raise journal_fault(path, error) from error
    except OSError as error:
        raise file_fault(path, error) from error


def file_fault(path: str, error: OSError) -> LocalError:
    """An error of a file of the journal at ``path`` as an error for people."""
    hint = "everything unsent waits"
    if isinstance(error, PermissionError):
        hint = "it has to be yours (as root: chown; after a sudo albumup it is not), then try again"
    return LocalError(f"{error.filename or path}: {error.strerror or error}", hint)


def journal_fault(path: str, error: sqlite3.Error) -> AlbumupError:
    """An SQLite error as an error for people: a corrupt journal, a full disk, another fault."""
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return CorruptJournal(f"{path}: damaged: {error}")
    if code == sqlite3.SQLITE_FULL:
        return _full(path)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return LocalError(
            f"{path}: cannot be written: {error}",
            "check the folder's permissions, then: albumup resume",
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LocalError(
            f"{path}: another program has kept it locked for {BUSY_SECONDS:.0f} s",
            "close what has it open, or wait for its end, then: albumup resume",
        )
    if code == sqlite3.SQLITE_IOERR:
        return _io_fault(path, str(error))
    return LocalError(f"{path}: {error}", "everything unsent waits; go on with: albumup resume")


def has_no_room(path: str) -> bool:
    """Is the disk of a journal full, as far as a small change is concerned?"""
    return room_for(path) < _LITTLE


def _full(path: str) -> LocalError:
    return LocalError(f"{path}: the disk is full", "make room, then: albumup resume")


def _io_fault(path: str, words: str) -> LocalError:
    if has_no_room(path):  # without room SQLite's shared memory fails with an I/O error
        return _full(path)
    return LocalError(
        f"{path}: input/output error (a full disk looks like this too): {words}",
        "see to that disk, then: albumup resume",
    )


def _create(path: str) -> None:
    new = path + ".new"
    _drop(new)  # a crash may have left one
    try:
        os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(connect(new, "rw")) as connection:
            _set_up(connection)
            migrate(connection, 0)
            # Closing checkpoints too, but ignores a full disk: half the journal would stay in the
            # write-ahead log.
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()
    except BaseException:
        _drop(new)
        raise
    os.replace(new, path)
    fsync_folder(os.path.dirname(path))


def _refuse_leftovers(path: str) -> None:
    """Keep a new journal apart from the write-ahead log of one that was there before, which SQLite
    would take for its own: raise LocalError if an uploader still writes that log, else set it
    aside."""
    if not any(os.path.lexists(path + suffix) for suffix in ("-wal", "-shm")):
        return
    if is_locked(paths_of(path)["lock"]):
        raise journal_gone(path)
    set_aside(path)


def _drop(new: str) -> None:
    """Remove an unfinished journal with its side files."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            os.unlink(new + suffix)


def _bring_up(path: str, connection: sqlite3.Connection) -> None:
    version = _number(connection, "user_version")
    _refuse_newer(path, version)
    if version < VERSION:
        # An uploader of the older version may be at work; the lock tells.
        lock = FileLock(paths_of(path)["lock"])
        if not lock.take():
            raise LocalError(
                f"{path}: an older albumup is still uploading from it",
                "wait for its end, then try again",
            )
        try:
            migrate(connection, version)
        finally:
            lock.release()
    _set_up(connection)


def _brought_up(connection: sqlite3.Connection, version: int) -> sqlite3.Connection:
    """A copy of an older journal in memory, migrated to the present version."""
    copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    try:
        connection.backup(copy)
        copy.row_factory = sqlite3.Row
        migrate(copy, version)
        copy.execute("pragma query_only = on")
    except BaseException:
        copy.close()
        raise
    return copy


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma fullfsync = on")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma wal_autocheckpoint = 0")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"pragma {pragma}").fetchone()[0])


def _refuse_newer(path: str, version: int) -> None:
    if version > VERSION:
        raise ConfigError(
            f"{path}: written by a newer albumup (schema {version}, this one knows {VERSION})",
            "use that version, or name another journal with --journal",
        )


def _refuse_foreign(path: str) -> None:
    """Raise unless the file is a journal or empty. It is not opened as a database: a photo must not
    be touched."""
    if is_connected(path):
        return  # it was looked at before, and must not be closed by us now
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # reading a pipe would never end; a device must stay
            what = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
            raise ConfigError(f"{path}: {what}, not a journal", "name a file with --journal")
        with open(path, "rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        return
    if not header:
        return
    ours = header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    if not header.startswith(b"SQLite format 3\0"):
        if ours:
            raise CorruptJournal(f"{path}: damaged: its first bytes are gone")
        raise ConfigError(
            f"{path}: not a journal of albumup; it was left untouched",
            "name another file with --journal",
        )
    if not ours:
        raise ConfigError(
            f"{path}: a database of another program; it was left untouched",
            "name another file with --journal",
        )


def _refuse_network(path: str) -> None:
    kind = file_system_of(os.path.dirname(path) or ".")
    if kind in _NETWORK | _NETWORK_FUSE:
        raise ConfigError(
            f"{path}: lies on a network file system ({kind}), "
            "where locks and the journal are not safe",
            "name a file on a local disk with --journal or ALBUMUP_JOURNAL",
        )
