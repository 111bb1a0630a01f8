"""A journal of an earlier version is taken over with all that was under way in it, and finished.

It was made by former/make.py: killed in the middle of everything. What is sent again, and what must
not be, is told by the servers' own ledgers.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from former.journals import Asset, lay_out, replace_all
from home import DISK, Home
from immich.fake import KEY, Immich
from receiving import TOKEN, Client, receiving, sha256
from servers import FormServer, answer, photo

from albumup.config.definition import fingerprint
from albumup.config.file import TargetTable, settings_of
from albumup.config.settings import FormSettings, ImmichSettings, InboxSettings

FORMER = Path(__file__).parent / "former"
NOWHERE = {
    name: f"http://127.0.0.1:{port}"
    for port, name in enumerate(("club", "once", "away", "shed", "immich"), 1)
}
SETTINGS = {"form": FormSettings, "inbox": InboxSettings, "immich": ImmichSettings}
SENT_AGAIN = ["held.jpg", "stalled.jpg", "twice.jpg", "unknown.jpg"]
"""Whole bodies of theirs may have arrived at a server that cannot be asked."""


@pytest.fixture(params=sorted(FORMER.glob("*.gz")), ids=lambda path: path.name.partition(".")[0])
def dump(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    home.lies_on(DISK)
    yield home
    home.close()


Sinks = dict[str, FormServer]


@pytest.fixture
def sinks() -> Iterator[Sinks]:
    """The form servers, well again."""
    rejects = (photo, answer(415))
    servers = {
        name: FormServer(_rule({"rejected.jpg": rejects})) for name in ("club", "once", "away")
    }
    yield servers
    for server in servers.values():
        server.close()
        assert not server.trouble, server.trouble


def _rule(scripts: Mapping[str, Any]) -> Callable[[int, str], Any]:
    return lambda _, name: scripts.get(name)


def taken_over(home: Home, dump: Path, urls: Mapping[str, str]) -> list[Asset]:
    """The journal in a home whose targets are the servers at these addresses; what the Immich
    server had."""
    given = NOWHERE | dict(urls)
    names = {f"@{name.upper()}@": url for name, url in given.items()} | {"@HOME@": str(home.folder)}
    assets = lay_out(dump, home.journal, names)
    key, token = home.secret(KEY), home.secret(TOKEN, "receiver-token")
    quick = "settle = 0.2\n"
    home.config(
        f'[targets.club]\nkind = "form"\nurl = "{given["club"]}/upload"\nduplicate = [409]\n'
        f'[targets.once]\nkind = "form"\nurl = "{given["once"]}/upload"\nresend = "never"\n'
        f'[targets.away]\nkind = "form"\nurl = "{given["away"]}/upload"\n'
        f'[targets.shed]\nkind = "inbox"\nurl = "{given["shed"]}"\ntoken_file = "{token}"\n{quick}'
        f'[targets.home]\nkind = "immich"\nurl = "{given["immich"]}"\ntoken_file = "{key}"\n{quick}'
    )
    for number, text in home.sql("select id, settings from definition"):
        kept = json.loads(text)
        settings = settings_of(
            TargetTable("", kept["kind"], kept["settings"], ""), SETTINGS[kept["kind"]]
        )
        home.sql(
            "update definition set fingerprint = ? where id = ?",
            fingerprint(kept["kind"], settings),
            number,
        )
    _as_pinned(home)
    return assets


def _as_pinned(home: Home) -> None:
    """The files that are there have the inodes that the journal says."""
    for number, path in home.sql("select id, path from photo"):
        if os.path.exists(path):
            inode = os.stat(path).st_ino
            home.sql("update photo set inode = ? where id = ?", inode, number)
            of_photo = "select id from task where photo_id = ?"
            sql = f"update body set inode = ? where task_id in ({of_photo})"
            home.sql(sql, inode, number)


def by_name(home: Home, album: str) -> dict[str, dict[str, Any]]:
    return {os.path.basename(task["path"]): task for task in home.tasks() if task["album"] == album}


def states(home: Home, album: str) -> dict[str, str]:
    return {name: task["state"] for name, task in by_name(home, album).items()}


def test_what_was_under_way_to_servers_of_any_kind_is_finished(
    home: Home, dump: Path, sinks: Sinks, tmp_path: Path
) -> None:
    with receiving(tmp_path / "received") as client:
        taken_over(
            home,
            dump,
            {name: server.origin for name, server in sinks.items()} | {"shed": _url(client)},
        )
        client.send("copies", (home.folder / "copies" / "there.jpg").read_bytes(), "there.jpg")
        before, bodies = by_name(home, "trip"), _boundaries(home)
        done = home.run("resume", "trip", "edge", "once", "later", "card", "copies")
        assert done.returncode == 3, done.stderr
        _is_resumed(home, sinks, before, bodies)
        assert sha256((tmp_path / "received" / "copies" / "not-there.jpg").read_bytes())
        assert client.ask("copies", *_digests(home, "copies")).keys() == _digests(home, "copies")
        assert _attempts(home, "there.jpg") == ["in_doubt"], "it was there, and is not sent again"
        assert states(home, "copies") == {"there.jpg": "uploaded", "not-there.jpg": "uploaded"}
        _, said = home.on_terminal("status")
        late = [line for line in said if re.match("once: finished .* 1 photo sent, 1 not", line)]
        assert len(late) == 1, said
        assert home.sql("select count(*) from notice where delivered is null") == [(0,)]
    _is_retried(home, sinks)


def _is_resumed(
    home: Home, sinks: Sinks, before: dict[str, dict[str, Any]], bodies: dict[str, str]
) -> None:
    trip, edge = by_name(home, "trip"), by_name(home, "edge")
    ends = {"duplicate.jpg": "duplicate", "cancelled.jpg": "cancelled", "failed.jpg": "failed"}
    ends |= {"missing.jpg": "missing", "rejected.jpg": "rejected"}
    assert states(home, "trip") == dict.fromkeys(before, "uploaded") | ends
    for name in ("a.jpg", *ends):
        assert trip[name]["attempts"] == before[name]["attempts"], f"{name} was at its end"
        assert trip[name]["error"] == before[name]["error"]
    assert trip["tried.jpg"]["attempts"] == before["tried.jpg"]["attempts"] + 1
    assert sorted(name for name, task in (trip | edge).items() if task["maybe_twice"]) == SENT_AGAIN
    sent = ["s-cut.jpg", "tried.jpg", "waiting-1.jpg", "waiting-2.jpg", *SENT_AGAIN]
    assert Counter(sinks["club"].requests) == Counter(sent), "each of them once"
    assert sorted(sinks["club"].names) == sorted(sent)
    was_framed = {name: bodies[name] for name in sent if name in bodies}
    assert set(sent) - set(was_framed) == {"waiting-2.jpg"}
    assert {name: _boundaries(home)[name] for name in was_framed} == was_framed, (
        "they went as they were framed"
    )
    assert states(home, "edge") == {"held.jpg": "uploaded", "stalled.jpg": "uploaded"}
    assert states(home, "once") == {"a-fine.jpg": "uploaded", "lost.jpg": "in_doubt"}
    assert sinks["once"].requests == [], "it is sent at most once"
    assert set(states(home, "later").values()) == set(states(home, "card").values()) == {"uploaded"}
    copies = {"1-of-card.jpg", "2-of-card.jpg"}
    assert Counter(sinks["away"].requests) == Counter({"2.jpg", "3.jpg", "4.jpg", *copies})
    assert {one.sha256 for one in sinks["away"].ledger if one.filename in copies} == _digests(
        home, "card"
    )
    assert not list(home.journal.with_name("journal.db.spool").iterdir())
    assert home.sql("select count(*) from target where sick_since not null and name <> 'home'") == [
        (0,)
    ]
    assert home.sql("select count(*) from task where state = 'sending' and album_id < 7") == [(0,)]
    volumes = home.sql(
        "select volume, count(*) from photo join task on photo.id = photo_id "
        "where task.album_id = 1 group by volume"
    )
    assert volumes == [("", 1), (DISK, 11)], (
        "the disk had no id then, and is the same one; one photo is not there"
    )


def _is_retried(home: Home, sinks: Sinks) -> None:
    missing = home.folder / "trip" / "missing.jpg"
    ((mtime_ns,),) = home.sql("select mtime_ns from photo where path = ?", bytes(missing))
    missing.write_bytes(
        (home.folder / "trip" / "failed.jpg").read_bytes().replace(b"/failed.jpg-", b"/missing.jpg")
    )
    os.utime(missing, ns=(mtime_ns, mtime_ns))
    _as_pinned(home)
    for server in sinks.values():
        server.requests.clear()
    done = home.run("retry-failed", "trip", "once")
    assert done.returncode == 3, done.stderr
    assert sorted(sinks["club"].requests) == ["failed.jpg", "missing.jpg"]
    sinks["club"].rule = _rule({})
    done = home.run("retry-failed", "trip", "once", "--rejected", "--in-doubt")
    assert done.returncode == 0, done.stderr
    assert sorted(sinks["club"].requests) == ["failed.jpg", "missing.jpg", "rejected.jpg"]
    assert sinks["once"].requests == ["lost.jpg"]
    assert by_name(home, "once")["lost.jpg"]["maybe_twice"]
    assert states(home, "trip")["cancelled.jpg"] == "cancelled"
    assert home.run("resume", "trip", "edge", "once", "later", "card").returncode == 0
    assert sinks["once"].requests == ["lost.jpg"]


def _url(client: Client) -> str:
    host, port = client.address
    return f"http://{host}:{port}"


def _boundaries(home: Home) -> dict[str, str]:
    """Of each photo that has a body: by which it is, or was, framed."""
    rows = home.sql(
        "select photo.path, body.boundary from body join task on task.id = task_id "
        "join photo on photo.id = photo_id"
    )
    return {os.path.basename(os.fsdecode(path)): boundary for path, boundary in rows}


def _attempts(home: Home, name: str) -> list[str]:
    """How the attempts at a photo ended."""
    sql = (
        "select outcome from attempt join task on task.id = task_id "
        "join photo on photo.id = photo_id"
        " where cast(path as text) like ? order by attempt.id"
    )
    return [row[0] for row in home.sql(sql, f"%/{name}")]


def _digests(home: Home, album: str) -> set[str]:
    return {task["sha256"] for task in by_name(home, album).values()}


def as_it_was(home: Home, server: Immich, assets: list[Asset]) -> None:
    """The server has again what it had; the journal, and bodies in it, call that by the names that
    it has now."""
    contents = {
        sha256(data): data for data in (path.read_bytes() for path in home.folder.glob("*/*.*"))
    }
    ids = {one.id: server.put(contents[one.sha256], one.name) for one in assets}
    for one in assets:
        if one.clip:
            _join(server, ids[one.id], ids[one.clip])
    for name, old in home.sql("select name, remote_id from album where remote_id not null"):
        inside = [ids[one.id] for one in assets if one.in_album] if name == "live" else []
        ids[old] = server.tell("add_album", name=name, assets=inside)
    with closing(sqlite3.connect(home.journal)) as connection:
        replace_all(connection, ids)
    server.tell("clear_requests")


def _join(server: Immich, still: str, clip: str) -> None:
    said = json.dumps({"livePhotoVideoId": clip}).encode()
    headers = {"x-api-key": KEY, "Content-Type": "application/json"}
    urllib.request.urlopen(
        urllib.request.Request(f"{server.url}/api/assets/{still}", said, headers, method="PUT")
    )


@pytest.fixture
def immich() -> Iterator[Immich]:
    server = Immich()
    yield server
    server.close()


def test_what_was_under_way_to_an_immich_server_is_finished(
    home: Home, dump: Path, immich: Immich
) -> None:
    as_it_was(home, immich, taken_over(home, dump, {"immich": immich.url}))
    there = {one["name"] for one in immich.assets()}
    clip = (home.folder / "live" / "A.mov").read_bytes()
    immich.put(clip, "A.mov")  # its answer was lost, too
    done = home.run("resume", "owing", "live", "doubts", "asked")
    assert done.returncode == 3, done.stderr
    assets = {one["name"]: one for one in immich.assets()}
    sent = ["E.jpg", "E.mov", "S.jpg", "lost-on-the-way.jpg", "unasked.jpg"]
    assert sorted(name for name, one in assets.items() if one["received"]) == sent
    assert all(assets[name]["received"] == 1 for name in sent)
    assert set(assets) == there | set(sent) | {"A.mov"}
    clips = {
        name: one["livePhotoVideoId"] for name, one in assets.items() if one["livePhotoVideoId"]
    }
    assert clips == {f"{name}.jpg": assets[f"{name}.mov"]["id"] for name in "ABDE"}, (
        "C was refused, F is to come"
    )
    assert assets["S.jpg"]["sidecar"] == sha256((home.folder / "live" / "S.xmp").read_bytes())
    names = [name for album in ("owing", "live", "doubts", "asked") for name in immich.album(album)]
    assert names == [
        "place.jpg", "A.jpg", "B.jpg", "C.jpg", "C.mov", "D.jpg", "E.jpg", "S.jpg", "arrived.jpg",
        "lost-on-the-way.jpg", "unasked.jpg",
    ]  # fmt: skip
    (link,) = immich.links()
    assert home.sql("select share from album where wants_share") == [
        (f"{immich.url}/share/{link['key']}",)
    ]
    assert states(home, "live") | {"F.jpg": "uploaded"} == dict.fromkeys(
        by_name(home, "live"), "uploaded"
    )
    assert home.sql("select count(*) from task where membership = 1") == [(0,)]
    assert home.run("retry-failed", "live").returncode == 0
    assets = {one["name"]: one for one in immich.assets()}
    assert assets["F.jpg"]["livePhotoVideoId"] == assets["F.mov"]["id"]
    assert assets["F.mov"]["received"] == 0
    assert immich.album("live").count("F.jpg") == 1 and "F.mov" not in immich.album("live")
