"""Makes a journal as a kill leaves it, with a task in every state, by the albumup of the
interpreter that runs this.

    cd ../older && uv run python ../albumup/tests/journal/former/make.py version7.sql.gz

The real command is run against servers that fail as they are told, and killed. A later run would
settle what an earlier one left: so each album is written down when its command was killed, and put
back at the end. The result is an SQL dump of the journal, with two tables beside it: the files it
is about, and what the Immich server had. Paths in it begin with @HOME@, addresses are @CLUB@ and so
on.

It names columns as this version does: one that has other names is asked by the make.py of its own
time.
"""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2]))

from former.journals import IDENTITY, replace_all
from home import DISK, Home, until
from immich.fake import KEY, Immich
from live import clip, still
from servers import TAKEN, FormServer, Line, Script, answer, close, photo, read, stall

LARGE = 8 << 20
"""Bytes: more than kernels take of a body that nobody reads."""
_OF_A_TASK = {"task": "id", "body": "task_id", "attempt": "task_id", "sidecar": "task_id"}
_COMPANY = """
create table former_file (path blob primary key, size integer, mtime_ns integer, content blob);
create table former_asset (id text primary key, name text, sha256 text, clip text, \
in_album integer);
"""


class Making:
    """The journal in the making."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.rules: dict[str, Script] = {}
        self.servers = {
            name: FormServer(lambda _, name: self.rules.get(name))
            for name in ("club", "once", "away", "shed")
        }
        self.immich = Immich()
        self._frozen: list[tuple[str, dict[str, Any]]] = []
        token = self.home.secret(KEY)
        kinds = {"club": "duplicate = [409]", "once": 'resend = "never"', "away": ""}
        tables = [
            f'[targets.{name}]\nkind = "form"\nurl = "{self.servers[name].origin}/upload"\n{more}\n'
            for name, more in kinds.items()
        ]
        tables.append(
            f'[targets.shed]\nkind = "inbox"\nurl = "{self.servers["shed"].origin}"\nsettle = 600\n'
        )
        tables.append(
            f'[targets.home]\nkind = "immich"\nurl = "{self.immich.url}"\n'
            f'token_file = "{token}"\nsettle = 600\n'
        )
        self.home.config("".join(tables))

    def files(self, album: str, *names: str, size: int = 300) -> None:
        """Photos of an album's folder, each with other bytes."""
        for name in names:
            start = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + f"{album}/{name}".encode()
            self.put(album, name, start.ljust(size, b"-"))

    def put(self, album: str, name: str, content: bytes) -> None:
        path = self.home.folder / album / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)

    def push(self, album: str, target: str, *options: object, code: int = 0) -> None:
        done = self.home.run("push", self.home.folder / album, "--target", target, *options)
        assert done.returncode == code, done.stderr

    def push_until(
        self, condition: Callable[[], Any], album: str, target: str, *options: object
    ) -> None:
        """Push, and kill it when ``condition`` holds."""
        process = self.home.start("push", self.home.folder / album, "--target", target, *options)
        until(lambda: self.home.journal.exists() and condition(), f"{album} {options}")
        process.kill()
        process.wait()
        self.freeze(album)

    def count(self, album: str, condition: str) -> int:
        """How many tasks of an album there are of which that is true."""
        sql = (
            "select count(*) from task join album on album.id = task.album_id "
            "left join body on body.task_id = task.id"
            f" where album.name = ? and {condition}"
        )
        try:
            return int(self.home.sql(sql, album)[0][0])
        except sqlite3.OperationalError:  # the journal is being made
            return 0

    def freeze(self, album: str) -> None:
        """What the journal says of an album now is what it will say at the end."""
        with closing(sqlite3.connect(self.home.journal)) as connection:
            connection.row_factory = sqlite3.Row
            for table, key in _OF_A_TASK.items():
                rows = connection.execute(
                    f"select * from {table} where {key} in (select task.id from task "
                    "join album on album.id ="
                    " task.album_id where album.name = ?)",
                    (album,),
                )
                self._frozen += [(table, dict(row)) for row in rows]
            rows = connection.execute(
                "select * from target where id = (select target_id from album where name = ?)",
                (album,),
            )
            self._frozen += [("target", dict(row)) for row in rows]

    def restore(self) -> None:
        with closing(sqlite3.connect(self.home.journal)) as connection, connection:
            for table, row in self._frozen:
                key = "id" if "id" in row else "task_id"
                changes = ", ".join(f"{column} = :{column}" for column in row)
                done = connection.execute(f"update {table} set {changes} where {key} = :{key}", row)
                assert done.rowcount == 1, (table, row)

    def sources(self) -> dict[bytes, tuple[int, bytes]]:
        """Modification time and content of every file that the journal may be about, spooled ones
        too."""
        spool = self.home.journal.with_name("journal.db.spool")
        places = [*self.home.folder.glob("*/*.*"), *spool.iterdir()]
        return {
            bytes(path): (path.stat().st_mtime_ns, path.read_bytes())
            for path in places
            if path.is_file()
        }


def trip(making: Making) -> None:
    """Every end, and every stage before it, on a server that may be sent a photo twice; of a disk
    without an id."""
    home, rules = making.home, making.rules
    home.lies_on("")

    def lose(_: Line) -> None:
        (home.folder / "trip" / "missing.jpg").unlink()

    making.files(
        "trip", "a.jpg", "cancelled.jpg", "duplicate.jpg", "failed.jpg", "missing.jpg",
        "rejected.jpg",
    )  # fmt: skip
    rules["a.jpg"] = (lose, *TAKEN)
    for name, status in {
        "cancelled": 418,
        "duplicate": 409,
        "failed": 418,
        "rejected": 415,
    }.items():
        rules[f"{name}.jpg"] = (photo, answer(status))
    making.push("trip", "club", "--retries", "0", "--jobs", "1", code=3)
    assert home.run("cancel", "trip", home.folder / "trip" / "cancelled.jpg").returncode == 0
    making.files("trip", "s-cut.jpg", size=LARGE)
    making.files("trip", "tried.jpg", "twice.jpg", "unknown.jpg", "waiting-1.jpg", "waiting-2.jpg")
    rules["s-cut.jpg"] = (read(1000), stall)
    rules["tried.jpg"] = (photo, answer(418))
    rules["twice.jpg"] = (photo, answer(500))
    rules["unknown.jpg"] = (photo, stall)
    tried = "state = 'pending' and tries = 1"
    making.push_until(
        lambda: making.count("trip", "state = 'sending'") == 2 and making.count("trip", tried) == 2,
        "trip", "club", "--jobs", "2",
    )  # fmt: skip
    home.lies_on(DISK)


def edge(making: Making) -> None:
    """One whose fault it was is not told yet, because another is under way."""
    making.files("edge", "held.jpg", "stalled.jpg")
    making.rules |= {"held.jpg": (photo, answer(500)), "stalled.jpg": (photo, stall)}
    making.push_until(
        lambda: making.count("edge", "stage = 5"), "edge", "club", "--retries", "0", "--jobs", "2"
    )


def once(making: Making) -> None:
    """Sent whole and never answered, to a server that must not be sent it again."""
    making.files("once", "a-fine.jpg", "lost.jpg")
    making.rules["lost.jpg"] = (photo, close)
    making.push("once", "once", code=3)


def later(making: Making) -> None:
    """A pause; and copies that were made of a card while it lasted."""
    making.files("later", "1.jpg", "2.jpg", "3.jpg", "4.jpg")
    away = making.servers["away"]
    making.rules |= {f"{number}.jpg": (photo, answer(503)) for number in (2, 3, 4)}
    away.question = lambda: (answer(503),)

    def is_sick() -> bool:
        return bool(
            making.home.sql("select 1 from target where name = 'away' and sick_since not null")
        )

    making.push_until(
        lambda: making.count("later", "true") == 4 and is_sick(), "later", "away", "--jobs", "1"
    )
    making.files("card", "1-of-card.jpg", "2-of-card.jpg")
    making.push_until(
        lambda: making.count("card", "body.spool not null") == 2, "card", "away", "--spool"
    )
    shutil.rmtree(making.home.folder / "card")


def copies(making: Making) -> None:
    """In doubt, at a server that can be asked."""
    making.files("copies", "there.jpg", "not-there.jpg")
    making.rules |= {"there.jpg": (photo, close), "not-there.jpg": (photo, close)}
    making.push_until(
        lambda: making.count("copies", "ask_at not null") == 2, "copies", "shed", "--jobs", "1"
    )


def live(making: Making) -> None:
    """Live photos in every stage."""
    server = making.immich

    def halves(name: str, *suffixes: str) -> None:
        identifier = f"{ord(name):08}-0000-4000-8000-000000000000"
        made = {"jpg": still(identifier, ord(name)), "mov": clip(identifier, number=ord(name))}
        for suffix in suffixes:
            making.put("live", f"{name}.{suffix}", made[suffix])

    for name in "ABC":
        halves(name, "jpg")
    halves("D", "jpg", "mov")
    making.push("live", "home")
    halves("B", "mov")
    making.push("live", "home")
    assert making.count("live", "alone = 3") == 1
    halves("C", "mov")
    server.fault("PUT", "/api/assets/[^/]+$", "status", times=None, status=400)
    making.push("live", "home")
    assert making.count("live", "alone = 2") == 1
    server.tell("clear_faults")
    halves("F", "jpg", "mov")
    server.fault("POST", "/api/assets$", "status", times=None, skip=1, status=418)
    making.push("live", "home", "--retries", "0", code=3)
    assert making.count("live", "membership = 3") == making.count("live", "state = 'failed'") == 1
    server.tell("clear_faults")
    halves("A", "mov")
    halves("E", "jpg", "mov")
    making.files("live", "S.jpg")
    making.put("live", "S.xmp", b"<x:xmpmeta/>")
    server.tell("hold", method="POST", path="/api/assets$")
    making.push_until(
        lambda: (
            making.count("live", "stage = 3") and making.count("live", "state = 'sending'") == 2
        ),
        "live", "home", "--jobs", "2",
    )  # fmt: skip
    assert making.count("live", "alone = 1") == 1


def owing(making: Making) -> None:
    """A photo is to be put into the server's album, and a share link to be made."""
    server = making.immich
    making.files("owing", "place.jpg")
    server.fault("PUT", "/api/albums/[^/]+/assets$", "status", times=None, status=503)
    server.fault("POST", "/api/shared-links$", "status", times=None, status=503)
    making.push_until(lambda: making.count("owing", "membership = 1"), "owing", "home", "--share")
    server.tell("clear_faults")


def asked(making: Making) -> None:
    """In doubt at a server that has it, or not; and one that the server was not asked about yet."""
    server = making.immich
    server.tell("release")
    making.files("doubts", "arrived.jpg", "lost-on-the-way.jpg")
    server.fault("POST", "/api/assets$", "cut_after", times=2)
    making.push_until(
        lambda: making.count("doubts", "ask_at not null") == 2, "doubts", "home", "--jobs", "1"
    )
    server.tell("hold", method="POST", path="/api/assets/bulk-upload-check$")
    making.files("asked", "unasked.jpg")
    making.push_until(lambda: making.count("asked", "stage = 2"), "asked", "home")


def dump(making: Making, assets: list[dict[str, Any]], placed: set[str], to: Path) -> None:
    """All of it as SQL, without what is of this machine and this moment."""
    names = {str(making.home.folder): "@HOME@", making.immich.url: "@IMMICH@"}
    names |= {server.origin: f"@{name.upper()}@" for name, server in making.servers.items()}
    connection = sqlite3.connect(making.home.journal)
    connection.execute("pragma journal_mode = delete")
    connection.executescript(_COMPANY)
    for path, (mtime_ns, content) in making.sources().items():
        row = path, len(content), mtime_ns, content.rstrip(b"-")
        connection.execute("insert into former_file values (?, ?, ?, ?)", row)
    for one in assets:
        row = one["id"], one["name"], one["sha256"], one["livePhotoVideoId"], one["id"] in placed
        connection.execute("insert into former_asset values (?, ?, ?, ?, ?)", row)
    replace_all(connection, names)
    identity = [
        f"pragma {name} = {connection.execute(f'pragma {name}').fetchone()[0]};"
        for name in IDENTITY
    ]
    text = "\n".join([*identity, *connection.iterdump(), ""])
    to.write_bytes(gzip.compress(text.encode(), mtime=0))
    connection.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        making = Making(Path(folder))
        for album in trip, edge, once, later, copies, owing, live:
            album(making)
        # Before the server comes to what was under way when the command was killed.
        assets, albums = making.immich.assets(), making.immich.albums()
        asked(making)
        assets += [one for one in making.immich.assets() if one["name"] == "arrived.jpg"]
        making.restore()
        making.home.sql(
            "update notice set delivered = null where album_id in (select id from album "
            "where name = 'once')"
        )
        making.home.sql(
            "update task set stage = 0 where id = (select task.id from task "
            "join photo on photo.id = photo_id where cast(path as text) like '%waiting-2.jpg')"
        )
        making.home.sql("delete from body where task_id in (select id from task where stage = 0)")
        dump(
            making, assets, {one for album in albums for one in album["assets"]}, Path(sys.argv[1])
        )
        making.home.close()
        making.immich.close()
        for server in making.servers.values():
            server.close()


if __name__ == "__main__":
    main()
