"""Opening a journal: created private and durable, refused when it is not ours, set aside when it is
damaged."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from test_staging import BOUNDARY, arrival, prepare_all, push

from albumup.errors import ConfigError, LocalError
from albumup.journal import migrations, opening, runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.journal.migrations import APPLICATION_ID, MIGRATIONS, VERSION, migrate
from albumup.journal.opening import (
    CorruptJournal,
    check_whole,
    checkpoint_here,
    open_reader,
    open_writer,
    paths_of,
    set_aside,
)
from albumup.journal.states import State
from albumup.photos.pins import Pins

SQLITE_UTILS = str(Path(sys.executable).with_name("sqlite-utils"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "albumup" / "journal.db"


def made(path: Path, photos: int = 1) -> Path:
    """A journal with some photos, closed."""
    journal = Journal(str(path))
    push(journal, (arrival(b"%d.jpg" % number, error="gone") for number in range(photos)))
    journal.close()
    return path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(found): found.read_bytes() for found in folder.rglob("*") if found.is_file()}


# Creating.


def test_a_new_journal_and_its_folder_are_private(path: Path) -> None:
    before = os.umask(0)
    try:
        journal = Journal(str(path))
    finally:
        os.umask(before)
    push(journal, [arrival()])
    assert mode_of(path.parent) == 0o700
    files = {file.name: mode_of(file) for file in path.parent.iterdir()}
    journal.close()
    names = {"journal.db", "journal.db-wal", "journal.db-shm", "journal.db.open"}
    assert files == dict.fromkeys(names, 0o600)


def moved_away(path: Path) -> dict[str, bytes]:
    """Move a journal away while it is used, and its write-ahead log stays: the log's files."""
    journal = Journal(str(path))
    push(journal, [arrival()])
    left = {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in ("-wal", "-shm")}
    assert len(left["-wal"]) > 0
    os.rename(path, path.with_name("elsewhere.db"))
    journal.connection.close()
    for suffix, data in left.items():
        Path(f"{path}{suffix}").write_bytes(data)
    return left


def test_no_journal_is_made_beside_the_log_of_one_that_is_used(path: Path) -> None:
    left = moved_away(path)
    with FileLock(paths_of(str(path))["lock"]):
        with pytest.raises(LocalError, match="moved or deleted while a process uploads from it"):
            open_writer(str(path))
        assert not path.exists()
    assert {suffix: Path(f"{path}{suffix}").read_bytes() for suffix in left} == left


def test_the_log_of_a_journal_that_is_gone_is_set_aside(path: Path) -> None:
    left = moved_away(path)
    with closing(Journal(str(path))) as journal:
        assert journal.rows("select count(*) from task")[0][0] == 0
        assert journal.rows("pragma quick_check")[0][0] == "ok"
    aside = [one for one in path.parent.iterdir() if ".corrupt-" in one.name]
    assert sorted(one.read_bytes() for one in aside) == sorted(left.values())


def test_a_journal_says_whose_it_is_and_how_old(path: Path) -> None:
    made(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("pragma user_version").fetchone() == (VERSION,)
    assert path.read_bytes()[68:72] == b"albu"


@pytest.mark.parametrize("times", [1, 2])
def test_a_writer_is_durable_and_leaves_checkpoints_to_the_uploader(path: Path, times: int) -> None:
    for _ in range(times):
        with closing(open_writer(str(path))) as connection:
            pragmas = {
                name: connection.execute(f"pragma {name}").fetchone()[0]
                for name in (
                    "journal_mode",
                    "synchronous",
                    "fullfsync",
                    "foreign_keys",
                    "wal_autocheckpoint",
                )
            }
            assert pragmas == {
                "journal_mode": "wal",
                "synchronous": 2,
                "fullfsync": 1,
                "foreign_keys": 1,
                "wal_autocheckpoint": 0,
            }
            checkpoint_here(connection)
            assert connection.execute("pragma wal_autocheckpoint").fetchone()[0] > 0


ANOTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("select count(*) from run").fetchone()
connection.close()
"""


@pytest.mark.parametrize("is_read", [False, True])
def test_no_other_process_deletes_the_log_of_one_that_has_looked_twice(
    path: Path, is_read: bool
) -> None:
    """Closing a descriptor of the journal drops the locks by which others know that it is open."""
    with closing(open_writer(str(path))) as connection:
        connection.execute("insert into target (name) values ('home')")
        if is_read:
            reader = open_reader(str(path))
            assert reader is not None
            assert reader.execute("select name from target").fetchone()["name"] == "home"
            reader.close()
        else:
            open_writer(str(path)).close()
        before = os.stat(f"{path}-wal").st_ino
        subprocess.run([sys.executable, "-c", ANOTHER, path], check=True)
        assert os.stat(f"{path}-wal").st_ino == before
        connection.execute("insert into target (name) values ('nas')")
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("select count(*) from target").fetchone() == (2,)


def test_an_empty_file_becomes_a_journal(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()
    made(path)
    with closing(open_writer(str(path))) as connection:
        assert connection.execute("select count(*) from v_failed").fetchone()[0] == 1


def test_ten_processes_open_a_new_journal_at_once(path: Path) -> None:
    code = (
        "import sys; from albumup.journal.journal import Journal; sys.stdin.read(1);"
        " journal = Journal(sys.argv[1]);"
        " print(journal.rows('select count(*) from v_tasks')[0][0], end='')"
    )
    command = [sys.executable, "-c", code, str(path)]
    pipe = subprocess.PIPE
    starters = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(10)
    ]
    for starter in starters:  # all have been started; the end of their input sets them off
        assert starter.stdin is not None
        starter.stdin.close()
        starter.stdin = None
    ended = [(*starter.communicate(timeout=60), starter.returncode) for starter in starters]
    assert ended == [("0", "", 0)] * 10


# What is not ours is refused, and stays as it was.


def a_photo(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0" + random.Random(1).randbytes(5000))


def a_text(path: Path) -> None:
    path.write_text("buy milk\n")


def one_byte(path: Path) -> None:
    path.write_bytes(b"S")


def a_foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table songs (name)")


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "1.jpg").write_bytes(b"a photo")


@pytest.mark.parametrize("make", [a_photo, a_text, one_byte, a_foreign_database, a_folder])
@pytest.mark.parametrize("open_it", [open_writer, open_reader])
def test_what_is_not_ours_is_refused_and_untouched(
    tmp_path: Path, make: Callable[[Path], None], open_it: Callable[[str], object]
) -> None:
    path = tmp_path / "named.db"
    make(path)
    before, modified = everything_in(tmp_path), path.stat().st_mtime_ns
    with pytest.raises(ConfigError, match=r"named\.db") as refused:
        open_it(str(path))
    assert (refused.value.exit_code, "--journal" in refused.value.hint) == (4, True)
    after = everything_in(tmp_path)
    after.pop(f"{path}.open", None)
    assert (after, path.stat().st_mtime_ns) == (before, modified)


@pytest.mark.parametrize("open_it", [open_writer, open_reader])
def test_a_newer_journal_is_refused_by_name(path: Path, open_it: Callable[[str], object]) -> None:
    made(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(
        ConfigError, match=f"newer albumup .schema {VERSION + 1}, this one knows {VERSION}"
    ) as refused:
        open_it(str(path))
    assert (str(path) in str(refused.value), refused.value.exit_code) == (True, 4)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_a_network_file_system_is_refused_before_anything_is_made(
    path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(opening, "file_system_of", lambda _: kind)
    with pytest.raises(
        ConfigError, match=rf"journal\.db: lies on a network file system \({kind}\)"
    ) as refused:
        open_writer(str(path))
    assert refused.value.exit_code == 4
    assert list(path.parent.iterdir()) == []


# Migrating.


@pytest.fixture
def next_version(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this albumup one version newer; its migration is the SQL statement it is called
    with."""

    def make(statement: str) -> None:
        monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, lambda run: run(statement)))
        monkeypatch.setattr(migrations, "VERSION", VERSION + 1)
        monkeypatch.setattr(opening, "VERSION", VERSION + 1)

    return make


def described(connection: sqlite3.Connection) -> dict[str, object]:
    """All that a schema says, however it came to be and is laid out."""
    plain: dict[str, object] = {
        f"{name} in SQL": " ".join(re.sub("--.*", "", sql).split()).lower()
        for name, sql in connection.execute(
            "select name, sql from sqlite_master where type <> 'table'"
        )
        if sql is not None
    }
    tables: dict[str, object] = {}
    for _, name, kind, *rest in connection.execute("pragma table_list").fetchall():
        looks = "table_xinfo", "foreign_key_list", "index_list"
        said = [sorted(connection.execute(f"pragma {look}({name})").fetchall()) for look in looks]
        indexes = {
            index[1:] for index in said.pop()
        }  # their numbers tell in what order they were made
        tables[name] = kind, rest, said, indexes
    return plain | tables


def test_a_new_journal_is_as_all_migrations_together_make_one() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        migrate(new, 0)
        is_new = described(new)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as old:
        for migration in MIGRATIONS:
            migration(old.execute)
        assert described(old) == is_new
    assert len(is_new) > 40


class Impatient(FileLock):
    def take(self, patience: float = 0.0) -> bool:  # type: ignore[override]
        return super().take(patience)


def test_an_older_journal_is_brought_up_by_a_writer(
    path: Path, next_version: Callable[[str], None]
) -> None:
    made(path)
    next_version("create table later (word text)")
    with closing(open_writer(str(path))) as connection:
        assert connection.execute("select count(*) from later").fetchone()[0] == 0
        assert connection.execute("select count(*) from v_failed").fetchone()[0] == 1
        assert connection.execute("pragma user_version").fetchone()[0] == VERSION + 1
    assert FileLock(paths_of(str(path))["lock"]).take(), "the uploader's lock is free again"


def test_an_older_journal_is_read_as_it_will_be_and_left_as_it_is(
    path: Path, next_version: Callable[[str], None]
) -> None:
    made(path)
    next_version("create table later (word text)")
    before = everything_in(path.parent)
    reader = open_reader(str(path))
    assert reader is not None
    with closing(reader):
        assert reader.execute("select count(*) from later").fetchone()[0] == 0
        assert [row["path"] for row in reader.execute("select path from v_failed")]
        with pytest.raises(sqlite3.OperationalError):
            reader.execute("delete from task")
    assert everything_in(path.parent) == before


def test_an_older_journal_waits_for_its_uploader(
    path: Path, next_version: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path)
    next_version("create table later (word text)")
    monkeypatch.setattr(opening, "FileLock", Impatient)
    before = path.read_bytes()
    uploader = FileLock(paths_of(str(path))["lock"])
    assert uploader.take()
    with pytest.raises(LocalError, match="older albumup is still uploading"):
        open_writer(str(path))
    assert path.read_bytes() == before
    uploader.release()
    open_writer(str(path)).close()


def test_a_journal_of_this_version_is_opened_beside_its_uploader(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(path)
    monkeypatch.setattr(opening, "FileLock", Impatient)
    with FileLock(paths_of(str(path))["lock"]):
        open_writer(str(path)).close()


def test_a_journal_of_the_first_version_is_brought_up_with_all_that_is_in_it(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        MIGRATIONS[0](connection.execute)
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("pragma user_version = 1")
    journal = Journal(str(path))
    push(journal, [arrival(b"1.jpg")])
    assert journal.rows("pragma user_version")[0][0] == VERSION
    assert [row["path"] for row in journal.rows("select path from v_tasks")] == [
        "/photos/trip/1.jpg"
    ]
    journal.close()


def test_cards_that_were_told_apart_by_their_device_still_are(path: Path) -> None:
    """Two photos at one path, on file systems without an id: both go on, with what was pinned of
    them."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for migration in MIGRATIONS[:3]:
            migration(connection.execute)
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("pragma user_version = 3")
        connection.executescript("""
            insert into target (id, name) values (1, 'home');
            insert into album (id, name, target_id, created, changed) values (1, 'trip', 1, 0, 0);
            insert into root values (1, '/card', '', 39, 1), (2, '/card', '', 41, 1),
                (3, '/card', 'UUID-1', 40, 1);
            insert into photo select id, 1, id, cast('/card/1.jpg' as blob), volume, null,
                cast('1.jpg' as blob), 'image/jpeg', 100, 5 - id, device from root;
            insert into task
                (id, photo_id, album_id, root_id, size, prepared, position, total, updated)
                select id, id, 1, id, 100, 1, 1, 1, 0 from root;
            insert into body select id, x'00', x'00', 'b', 'c', 102, 100, 5 - id, 10 + id, device,
                -7, 'aa', null, null, null, null from root;
        """)
    with closing(Journal(str(path))) as journal:
        inodes = [row["inode"] for row in journal.rows("select inode from photo order by id")]
        tasks = [task for root in (1, 2, 3) for task in journal.ready(1, root, 0.0, 9, True)]
    assert [(task.volume, task.card, task.seen) for task in tasks] == [
        ("", 39, (100, 4)), ("", 41, (100, 3)), ("UUID-1", 0, (100, 2))
    ]  # fmt: skip
    assert [task.body.pins for task in tasks if task.body] == [
        Pins(100, 4, 11, -7), Pins(100, 3, 12, -7), Pins(100, 2, 13, -7)
    ]  # fmt: skip
    assert inodes == [11, 12, 13]


def test_an_outcome_that_has_another_word_now_is_shown_by_that(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for migration in MIGRATIONS[:6]:
            migration(connection.execute)
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("pragma user_version = 6")
        connection.executescript("""
            insert into target (id, name) values (1, 'home');
            insert into album (id, name, target_id, created, changed) values (1, 'trip', 1, 0, 0);
            insert into root (id, path, volume, is_folder) values (1, '/trip', '', 1);
            insert into photo (id, album_id, root_id, path, volume, relative, mime, size)
                values (1, 1, 1, '/trip/1.jpg', '', '1.jpg', 'image/jpeg', 100);
            insert into task (id, photo_id, album_id, root_id, size, position, total, updated)
                values (1, 1, 1, 1, 100, 1, 1, 0);
            insert into attempt (task_id, run_id, boundary, number, started, outcome)
                values (1, 1, 'a', 1, 0, 'astray'), (1, 1, 'a', 2, 0, 'free');
        """)
    with closing(Journal(str(path))) as journal:
        outcomes = journal.rows("select outcome from v_attempts order by number")
        assert [row[0] for row in outcomes] == ["wrong_address", "free"]


def test_what_belongs_to_a_task_is_found_by_it(path: Path) -> None:
    """Else every task that is dropped costs a look at all there is: forgetting 2,000 beside 100,000
    took 15 s."""
    journal = Journal(str(made(path)))
    slow = []
    for (table,) in journal.rows("select name from sqlite_master where type = 'table'"):
        for key in journal.rows(
            f"select * from pragma_foreign_key_list('{table}') where \"table\" = 'task'"
        ):
            (plan,) = journal.rows(
                f"explain query plan select 1 from {table} where {key['from']} = 1"
            )
            if not plan["detail"].startswith("SEARCH"):
                slow.append(table)
    journal.close()
    assert slow == []


def test_a_migration_that_fails_changes_nothing(
    path: Path, next_version: Callable[[str], None]
) -> None:
    made(path)
    next_version("create table task (taken text)")
    with pytest.raises(LocalError, match="already exists"):
        open_writer(str(path))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("pragma user_version").fetchone()[0] == VERSION
        assert connection.execute("select count(*) from v_failed").fetchone()[0] == 1


# Ours, and damaged.


def without_its_first_bytes(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(16))


def with_a_page_of_noise(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(2).randbytes(8192))


def cut_in_the_middle(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 8192 * 4096)


@pytest.mark.parametrize(
    "damage", [without_its_first_bytes, with_a_page_of_noise, cut_in_the_middle]
)
def test_a_damaged_journal_is_known_as_ours(path: Path, damage: Callable[[Path], None]) -> None:
    made(path, photos=200)
    damage(path)
    with pytest.raises(CorruptJournal, match=r"journal\.db: damaged: ") as corrupt:
        check_whole(str(path), open_writer(str(path)))
    assert corrupt.value.exit_code == 1


def test_a_sound_journal_is_found_whole(path: Path) -> None:
    made(path, photos=200)
    with closing(open_writer(str(path))) as connection:
        check_whole(str(path), connection)


def test_damage_met_at_work_is_told_by_the_same_name(path: Path) -> None:
    made(path, photos=200)
    cut_in_the_middle(path)
    with (
        pytest.raises(CorruptJournal),
        closing(Journal(str(path))) as journal,
        journal.transaction(),
    ):
        journal.rows("select * from task, photo")


def test_a_journal_is_set_aside_with_its_side_files_and_nothing_is_lost(path: Path) -> None:
    journal = Journal(str(path))
    push(journal, [arrival()])
    names = ["journal.db", "journal.db-wal", "journal.db-shm"]
    contents = {name: (path.parent / name).read_bytes() for name in names}
    assert set_aside(str(path), now=86400.0) == f"{path}.corrupt-19700102T000000Z"
    journal.close()
    left = {file.name: file for file in path.parent.iterdir()}
    assert left.keys() == {
        "journal.db.open",
        "journal.db.corrupt-19700102T000000Z",
        "journal.db.corrupt-19700102T000000Z-wal",
        "journal.db.corrupt-19700102T000000Z-shm",
    }
    for name, content in contents.items():
        aside = name.replace("journal.db", "journal.db.corrupt-19700102T000000Z")
        assert left[aside].read_bytes() == content
    made(path)


# Readers.


def test_a_reader_creates_nothing(path: Path) -> None:
    assert open_reader(str(path)) is None
    assert not path.parent.exists()
    path.parent.mkdir(parents=True)
    assert open_reader(str(path)) is None
    path.touch()
    assert open_reader(str(path)) is None
    assert [(file.name, file.stat().st_size) for file in path.parent.iterdir()] == [
        ("journal.db", 0)
    ]


def test_a_reader_that_stays_sees_what_others_write_later(path: Path) -> None:
    Journal(str(path)).close()
    reader = open_reader(str(path), stays=True)
    assert reader is not None
    with closing(Journal(str(path), reader=reader)) as seen, closing(Journal(str(path))) as other:
        assert runs.running(seen) is None
        with other.transaction():
            run_id = runs.begin(other, 4121, {}, [])
        found = runs.running(seen)
        assert found is not None
        assert found.id == run_id


def test_a_reader_cannot_write(path: Path) -> None:
    reader = open_reader(str(made(path)))
    assert reader is not None
    with closing(reader), pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("update task set reason = 'mine'")


def test_a_reader_works_while_a_writer_works(path: Path) -> None:
    with closing(Journal(str(path))) as writer:
        push(writer, [arrival()])
        prepare_all(writer)
        reader = open_reader(str(path))
        assert reader is not None
        reader.execute("pragma busy_timeout = 0")
        with closing(reader), writer.transaction():
            writer.start(1, 1, BOUNDARY)
            assert [row["state"] for row in reader.execute("select state from v_tasks")] == [
                "pending"
            ]


def test_others_tools_read_it_while_an_uploader_writes(path: Path) -> None:
    journal = Journal(str(path))
    push(
        journal,
        [
            arrival(b"bad\xff\x1bname.jpg", error="gone"),
            arrival("größer.jpg".encode(), error="gone"),
        ],
    )
    command = [SQLITE_UTILS, "rows", str(path), "v_failed"]
    with journal.transaction():
        journal.move(1, State.PENDING)
        read = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        table = subprocess.run(
            [*command, "-t"], capture_output=True, text=True, timeout=60, check=False
        )
    journal.close()
    assert (read.returncode, read.stderr) == (0, "")
    assert [row["path"] for row in json.loads(read.stdout)] == [
        "/photos/trip/bad\\udcff\\x1bname.jpg",
        "/photos/trip/größer.jpg",
    ]
    assert (table.returncode, "\x1b" in table.stdout, "größer.jpg" in table.stdout) == (
        0,
        False,
        True,
    )


# A full disk and other faults of this machine.


@pytest.mark.long
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_journal_without_room_to_be_finished_is_not_begun(path: Path) -> None:
    """The disk is full from one of the writes on with which a new journal is made, those of its
    checkpoint too."""
    calls = path.parents[2] / "calls"
    assert making(path, "-o", str(calls)).returncode == 0
    count = len(calls.read_text().splitlines())
    for number in range(count, 0, -19):
        shutil.rmtree(path.parent)
        making(path, "-o", os.devnull, "-e", f"inject=pwrite64:error=ENOSPC:when={number}+")
        assert not path.exists() or whole(path), f"from write {number} of {count} on"
        with closing(open_writer(str(path))) as connection:
            assert connection.execute("select count(*) from v_tasks").fetchone()[0] == 0
        assert not path.with_name("journal.db.new").exists()


def making(path: Path, *trace: str) -> subprocess.CompletedProcess[bytes]:
    """A process that makes a journal, seen by strace."""
    code = (
        "import sys; from albumup.journal.opening import open_writer; "
        "open_writer(sys.argv[1]).close()"
    )
    command = [
        "strace", "-f", "-qq", "-e", "trace=pwrite64", *trace, sys.executable, "-c", code,
        str(path),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


def whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("pragma quick_check").fetchone() == ("ok",)


def test_a_full_disk_is_said_in_words_and_loses_nothing(path: Path) -> None:
    with closing(Journal(str(path))) as journal:
        push(journal, [arrival()])
        pages = journal.rows("pragma page_count")[0][0]
        journal.connection.execute(f"pragma max_page_count = {pages}")
        with pytest.raises(LocalError, match=r"journal\.db: the disk is full") as full:
            push(journal, (arrival(b"more-%d.jpg" % number) for number in range(500)))
        assert (full.value.exit_code, full.value.hint) == (1, "make room, then: albumup resume")
        assert [tuple(row) for row in journal.rows("select id, state from v_tasks")] == [
            (1, "pending")
        ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (sqlite3.SQLITE_IOERR_SHMSIZE, "a full disk looks like this too"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN, "check the folder's permissions"),
        (sqlite3.SQLITE_BUSY, "another program has kept it locked for 30 s"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "wait for its end, then: albumup resume"),
        (sqlite3.SQLITE_NOMEM, "go on with: albumup resume"),
    ],
)
def test_faults_of_this_machine_name_the_journal_and_the_way_on(code: int, words: str) -> None:
    error = sqlite3.OperationalError("some fault")
    error.sqlite_errorcode = code
    fault = opening.journal_fault("/j/journal.db", error)
    assert (type(fault), fault.exit_code) == (LocalError, 1)
    assert str(fault).startswith("/j/journal.db: ")
    assert words in f"{fault} {fault.hint}"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file")
    with pytest.raises(LocalError, match="state") as fault:
        open_writer(str(tmp_path / "state" / "albumup" / "journal.db"))
    assert fault.value.exit_code == 1
