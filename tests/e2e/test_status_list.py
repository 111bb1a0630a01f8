"""status, list, the events of --json and the public views: what other programs rely on."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from servers import FormServer, answer
from short import short_form

from albumup.uploader.commands import target_command, way_back

from .conftest import COMMAND, Home, finish, jpeg, sha256, until

STATES = [
    "pending", "sending", "uploaded", "duplicate", "rejected", "failed", "in_doubt", "missing",
    "cancelled",
]  # fmt: skip
TASK_KEYS = {
    "album", "target", "path", "state", "size", "sha256", "attempts", "maybe_twice", "sent_as",
    "error", "remote_id", "url", "updated",
}  # fmt: skip


@pytest.fixture
def mixed(home: Home, server: FormServer) -> Home:
    """An album with a photo uploaded, one rejected and one missing."""
    home.form(server, 'id = "data.id"\npage = "data.url"\n')
    said = json.dumps({"data": {"id": 7, "url": "https://club.example.org/7"}}).encode()
    server.answer = lambda one: (
        answer(413, {}) if one.filename == "IMG_2.JPG" else answer(200, said)
    )
    trip = home.photos(2)
    (trip / "dead.jpg").symlink_to("/nowhere.jpg")
    assert home.run("push", trip, "--follow-symlinks", "-j1").returncode == 3
    return home


# status


def test_status_json_has_the_keys_of_schema_1(mixed: Home) -> None:
    sizes = {
        name: (mixed.folder / "trip" / name).stat().st_size for name in ("IMG_1.JPG", "IMG_2.JPG")
    }
    found = mixed.status()
    assert found["schema"] == 1
    assert found["journal"] == str(mixed.journal)
    assert found["uploader"] is None
    (album,) = found["albums"]
    assert {"album", "target", "settled", "held", "share", "counts", "bytes"} <= set(album)
    assert (album["album"], album["target"], album["share"]) == ("trip", "club", None)
    assert (album["settled"], album["held"]) == (True, False)
    assert album["counts"] == dict.fromkeys(STATES, 0) | {
        "uploaded": 1,
        "rejected": 1,
        "missing": 1,
    }
    assert album["bytes"] == {"total": sum(sizes.values()), "sent": sizes["IMG_1.JPG"]}


@pytest.mark.process
def test_status_is_a_line_per_album(mixed: Home) -> None:
    mixed.run("push", mixed.photos(1, "second", first=20), "--target", "inbox")
    head, *lines = mixed.run("status").stdout.splitlines()
    assert head.split() == [
        "ALBUM", "TARGET", "STATE", "SENT", "WAITING", "FAILED", "LEFT", "CHANGED",
    ]  # fmt: skip
    assert [line.split()[:6] for line in lines] == [
        ["second", "inbox", "settled", "1/1", "0", "0"],
        ["trip", "club", "settled", "1/3", "0", "2"],
    ]
    assert [line.split()[0] for line in mixed.run("status", "trip").stdout.splitlines()[1:]] == [
        "trip"
    ]
    assert [
        line.split()[0] for line in mixed.run("status", "--target", "inbox").stdout.splitlines()[1:]
    ] == ["second"]
    mixed.run("cancel", "trip")
    head, *lines = mixed.run("status").stdout.splitlines()
    assert head.split()[5:7] == ["FAILED", "CANCELLED"]
    assert [line.split()[3:7] for line in lines] == [["1/1", "0", "0", "0"], ["1/1", "0", "0", "2"]]


def test_an_album_with_something_unsent_is_not_settled(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda _: answer(401, {})
    home.run("push", home.photos(2))
    assert home.album()["settled"] is False
    assert "waiting" in home.run("status").stdout


def test_what_runs_or_needs_something_stands_at_the_end(home: Home, server: FormServer) -> None:
    home.form(server)
    for name in ("m", "c", "k", "b"):
        assert (
            home.run("push", home.photos(1, name, first=ord(name)), "--album", name).returncode == 0
        )
    (home.folder / "a").mkdir()
    (home.folder / "a" / "gone.jpg").symlink_to("/nowhere.jpg")
    assert home.run("push", "a", "--follow-symlinks").returncode == 3
    server.may_answer.clear()
    pushing = home.start("push", home.photos(1, "e"))
    until(lambda: server.in_flight)
    names = [line.split()[0] for line in home.run("status").stdout.splitlines()[1:]]
    assert names == ["m", "c", "k", "b", "a", "e"]
    assert [one["album"] for one in home.status()["albums"]] == sorted(names)

    # On a terminal that is too low for all of them, albumup alone counts what is well.
    shown = home.on_terminal("status", rows=12)[1]  # also notices, once
    assert {"m", "c", "k", "b", "a", "e"} < {line.split()[0] for line in shown}
    code, said = home.on_terminal(rows=12)
    assert code == 0
    assert said[0] == "3 more albums are settled, all photos there: albumup status"
    assert [line.split()[0] for line in said[1:5]] == ["ALBUM", "b", "a", "e"]
    assert said[-1].startswith(f"Process {pushing.pid} is uploading. Next: albumup watch")
    server.may_answer.set()
    assert finish(pushing).returncode == 0


def test_status_says_why_albums_wait_until_something_newer_is_known(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda _: answer(401, {})
    why = home.run("push", home.photos(2)).stderr.splitlines()
    refused = next(line for line in why if "401" in line)
    mend = next(line for line in why if "target check club" in line)
    assert home.run("status").stderr.splitlines() == [refused, mend]
    home.photos(1, "card", first=9)
    server.answer = lambda _: answer(200, {})
    (home.folder / "trip").rename(home.folder / "away")
    assert home.run("resume").returncode == 75
    assert home.run("status").stderr.splitlines() == [
        f"{home.folder}/trip: it does not exist. Bring back its card or disk, then: albumup resume"
    ]
    server.answer = lambda _: answer(401, {})
    home.run("push", "card")
    assert home.run("status", "card").stderr.splitlines() == [refused, mend]
    assert home.run("status", "trip").stderr == "", "the last run was about another album"


# list


def test_list_json_is_an_object_a_line_with_these_keys(mixed: Home) -> None:
    first, second, third = sorted(mixed.tasks(), key=lambda task: task["state"], reverse=True)
    trip = mixed.folder / "trip"
    assert all(set(task) >= TASK_KEYS for task in (first, second, third))
    assert first | {"updated": ""} == {
        "album": "trip",
        "target": "club",
        "path": str(trip / "IMG_1.JPG"),
        "state": "uploaded",
        "size": (trip / "IMG_1.JPG").stat().st_size,
        "sha256": sha256(trip / "IMG_1.JPG"),
        "attempts": 1,
        "maybe_twice": False,
        "sent_as": "IMG_1.JPG",
        "error": None,
        "remote_id": "7",
        "url": "https://club.example.org/7",
        "updated": "",
    }
    assert (second["state"], second["attempts"], second["error"][:3]) == ("rejected", 1, "413")
    assert (third["state"], third["attempts"], third["sha256"]) == ("missing", 0, None)
    assert first["updated"].endswith("Z")


@pytest.mark.long
def test_list_can_be_narrowed(mixed: Home) -> None:
    mixed.run("push", mixed.photos(1, "second", first=20), "--target", "inbox")
    assert {task["state"] for task in mixed.tasks("--state", "rejected", "--state", "missing")} == {
        "rejected",
        "missing",
    }
    assert {task["album"] for task in mixed.tasks("second")} == {"second"}
    assert {task["album"] for task in mixed.tasks("--target", "club")} == {"trip"}
    assert {task["album"] for task in mixed.tasks("second", "trip")} == {"second", "trip"}
    assert mixed.run("list", "--state", "unsent").returncode == 2


def test_list_is_a_line_per_photo_with_what_went_wrong(mixed: Home) -> None:
    lines = mixed.run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["missing", "uploaded", "rejected"]
    assert "dead.jpg  No such file" in lines[0]
    assert "IMG_2.JPG  413" in lines[2]


@pytest.mark.long
def test_undecodable_names_come_out_whole(home: Home) -> None:
    folder = os.fsencode(home.folder / "trip")
    os.mkdir(folder)
    names = [b"a\xff.jpg", b"b\nc.jpg", "Süd.jpg".encode()]
    for number, name in enumerate(names):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(jpeg(number))
    assert home.run("push", folder).returncode == 0
    raw = home.run("list", "--json").stdout
    assert raw.isascii()
    assert r"a\udcff.jpg" in raw
    assert {os.path.basename(os.fsencode(task["path"])) for task in home.tasks()} == set(names)
    paths = os.fsencode(home.run("list", "-0").stdout)
    assert {os.path.basename(path) for path in paths.split(b"\0")[:-1]} == set(names)
    shown = home.run("list").stdout
    assert r"a\xff.jpg" in shown
    assert r"b\x0ac.jpg" in shown
    assert "Süd.jpg" in shown


# Nothing there.


@pytest.mark.parametrize(
    "line", [["status"], ["list"], ["list", "-0"], ["list", "--json"], ["target", "list"]]
)
def test_without_a_journal_they_answer_and_create_nothing(home: Home, line: list[str]) -> None:
    done = home.run(*line)
    assert done.returncode == 0
    if line[0] == "list":
        assert done.stdout == ""
    assert list(home.folder.iterdir()) == []


def test_without_a_journal_status_names_where_it_looked(home: Home) -> None:
    assert home.status()["albums"] == []
    for command in ("status", "resume"):
        assert "nothing to do (~/state/albumup/journal.db)" in home.run(command).stderr
    assert list(home.folder.iterdir()) == []


@pytest.mark.parametrize(
    "line", short_form(["list", "status", "-h", "list --json", "target list"], 2)
)
def test_a_closed_stdout_ends_quietly(home: Home, line: str) -> None:
    home.run("push", home.photos(3))
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = home.run(*line.split(), launch=COMMAND, stdout=writes)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_stops_listening_to_a_pushs_events_does_not_stop_the_push(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.may_answer.clear()
    process = home.start("push", home.photos(3), "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "queued"
    until(lambda: server.in_flight)
    process.stdout.close()
    server.may_answer.set()
    assert process.wait(60) == 0
    assert process.stderr is not None
    assert "Broken pipe" not in process.stderr.read()
    assert len(server.ledger) == 3


# The events of --json.


def events(text: str) -> list[dict[str, object]]:
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.process
def test_push_json_tells_what_happens_and_ends_with_a_summary(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda one: answer(418 if one.filename == "IMG_2.JPG" else 200, {})
    found = events(home.run("push", home.photos(2), "--json", "--retries", "1", "-j1").stdout)
    assert all({"event", "time", "album", "target"} <= set(event) for event in found)
    assert all(str(event["time"]).endswith("Z") for event in found)
    told = [(event["event"], os.path.basename(str(event["path"]))) for event in found[:-1]]
    assert told[:2] == [("queued", "IMG_1.JPG"), ("queued", "IMG_2.JPG")]
    assert sorted(told[2:]) == [
        ("attempt", "IMG_2.JPG"),
        ("failed", "IMG_2.JPG"),
        ("uploaded", "IMG_1.JPG"),
    ]
    summary = found[-1]
    assert (summary["event"], summary["exit"]) == ("summary", 3)
    (album,) = summary["albums"]  # type: ignore[misc]
    assert album["counts"] == home.album()["counts"]
    assert set(home.album()) <= set(album)


@pytest.mark.parametrize(
    "command", [["push", "trip"], ["resume"], ["retry-failed"], ["retry-failed", "trip"]]
)
def test_json_ends_with_a_summary_also_when_there_is_nothing_to_do(
    home: Home, command: list[str]
) -> None:
    home.run("push", home.photos(1))
    (summary,) = events(home.run(*command, "--json").stdout)
    assert (summary["event"], summary["exit"]) == ("summary", 0)


@pytest.mark.long
def test_a_followers_json_ends_with_its_own_summary(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(1)
    server.may_answer.clear()
    first = home.start("push", "trip")
    until(lambda: server.in_flight)
    second = home.start("push", home.photos(1, "more", first=9), "--json")
    until(lambda: (2,) in home.sql("select count(*) from scope"))
    server.may_answer.set()
    summary = events(finish(second).stdout)[-1]
    assert (summary["event"], summary["exit"], summary["album"]) == ("summary", 0, "more")
    assert finish(first).returncode == 0


@pytest.mark.long
def test_without_json_stdout_stays_empty(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda one: answer(418 if one.filename == "IMG_2.JPG" else 200, {})
    home.photos(2)
    for line in (
        ["push", "trip", "--retries", "0", "-vv"],
        ["resume"],
        ["retry-failed"],
        ["retry-failed", "trip"],
    ):
        assert home.run(*line).stdout == ""


# The journal is public.


def test_the_public_views_have_their_columns(mixed: Home) -> None:
    columns = {
        "v_tasks": {*TASK_KEYS, "id", "path_raw", "tries", "next_at"},
        "v_failed": {*TASK_KEYS, "id", "path_raw", "tries", "next_at"},
        "v_attempts": {
            "task", "album", "target", "path", "number", "started", "whole_at", "ended", "outcome",
            "http_status", "bytes", "error",
        },
        "v_albums": {"album", "target", "settled", "held", "share"},
        "v_throughput": {"album", "hour", "photos", "bytes", "seconds"},
    }  # fmt: skip
    for view, names in columns.items():
        assert {
            row[0] for row in mixed.sql(f"select name from pragma_table_info('{view}')")
        } >= names, view
    assert mixed.sql("select state from v_failed order by state") == [("missing",), ("rejected",)]
    assert mixed.sql("select number, outcome, http_status from v_attempts order by task") == [
        (1, "uploaded", 200),
        (1, "rejected", 413),
    ]
    assert mixed.sql("select album, photos from v_throughput") == [("trip", 1)]


def test_sqlite_utils_reads_it_also_with_bad_names_and_while_an_uploader_runs(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.photos(1)
    with open(os.fsencode(trip) + b"/a\xff.jpg", "wb") as file:
        file.write(jpeg(3))
    server.answer = lambda _: answer(413, {})
    assert home.run("push", trip).returncode == 3
    server.may_answer.clear()
    process = home.start("push", home.photos(1, "more", first=9))
    until(lambda: server.in_flight)
    try:
        done = subprocess.run(
            [
                sys.executable, "-m", "sqlite_utils", "rows", home.journal, "v_failed", "-t", "-c",
                "path", "-c", "state",
            ],
            capture_output=True, text=True, env=home.env, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("rejected") == 2
        whole = subprocess.run(
            [sys.executable, "-m", "sqlite_utils", "rows", home.journal, "v_failed", "-t"],
            capture_output=True, env=home.env, timeout=60, check=False,
        )  # fmt: skip
        assert whole.returncode == 0, whole.stderr
    finally:
        server.may_answer.set()
    assert finish(process).returncode == 3


@pytest.mark.parametrize(
    "line",
    short_form(
        [["list"], ["-h"], ["status"], ["list", "--json"], ["target", "list"], ["--version"]], 2
    ),
)
def test_a_stdout_that_is_not_there_ends_quietly(home: Home, line: list[str]) -> None:
    home.run("push", home.photos(1))
    command = " ".join([*COMMAND, *line, ">&-"])
    done = home.run(launch=["sh", "-c", command])
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_stdout_is_named_and_not_the_journal(home: Home) -> None:
    home.run("push", home.photos(1))
    command = " ".join([*COMMAND, "list", ">/dev/full"])
    done = home.run(launch=["sh", "-c", command])
    assert done.returncode == 1
    assert "stdout: No space left" in done.stderr and "journal" not in done.stderr


@pytest.mark.parametrize(
    "line", short_form([["status"], ["list"], ["target", "check"], ["target", "list"]], 2)
)
def test_they_create_nothing_beside_a_journal(home: Home, line: list[str]) -> None:
    home.run("push", home.photos(1))
    before = sorted(home.folder.rglob("*"))
    assert home.run(*line).returncode == 0
    assert sorted(home.folder.rglob("*")) == before


def test_check_of_the_inbox_creates_nothing(home: Home) -> None:
    assert home.run("target", "check").returncode == 0
    assert list(home.folder.iterdir()) == []


def test_an_albums_address_is_shown(home: Home, server: FormServer) -> None:
    home.form(server, 'share = "https://club.example.org/a/{album}"\n')
    done = home.run("push", home.photos(1))
    assert "https://club.example.org/a/trip" in done.stderr
    assert home.album()["share"] == "https://club.example.org/a/trip"


def test_a_target_that_the_config_does_not_have_any_more_is_not_called_down(home: Home) -> None:
    home.config('[targets.club]\nkind = "form"\nurl = "http://127.0.0.1:1"\n')
    assert home.run("push", home.photos(1), "--patience", "0s").returncode == 75
    home.config("")
    assert home.run("retry-failed").returncode == 4
    said = home.run("status").stderr
    assert "there is no target 'club'" in said
    assert "has not worked" not in said
    ((summary,),) = home.sql("select summary from notice where cause = 'stopped'")
    assert json.loads(summary)["command"] == "albumup target add club"


@pytest.mark.parametrize(
    ("hint", "typed"),
    [
        ("targets: inbox; a new one: albumup target add club", "albumup target add club"),
        ("targets: clubs, inbox", "albumup target list"),
        ("see: albumup target check club", "albumup target check club"),
    ],
)
def test_what_to_type_about_a_target(hint: str, typed: str) -> None:
    assert target_command("club", hint) == typed


@pytest.mark.parametrize(
    ("why", "what"),
    [("it does not exist", "Bring back its card or disk"),
     ("Permission denied", "Let albumup read it")],
)  # fmt: skip
def test_what_to_do_about_a_folder_that_is_away(why: str, what: str) -> None:
    assert way_back(why) == what
