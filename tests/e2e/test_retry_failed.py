"""retry-failed: cron's rounds, and the form with names."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess

import pytest
from servers import FormServer, Step, answer

from .conftest import Home, jpeg

MINUTE, HOUR = 60, 3600
WAITS = (0, 15 * MINUTE, HOUR, 6 * HOUR, 24 * HOUR)


@pytest.fixture
def failed(home: Home, server: FormServer) -> Home:
    """An album of which IMG_2.JPG has failed; the server goes on refusing it."""
    home.form(server)
    home.config_file.write_text(home.config_file.read_text() + "[defaults]\nretries = 0\n")
    server.answer = lambda one: answer(418 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(3)).returncode == 3
    assert home.states()["IMG_2.JPG"] == "failed"
    return home


def tries(server: FormServer) -> int:
    return server.names.count("IMG_2.JPG")


@pytest.mark.process
def test_the_first_round_is_due_at_once_and_the_next_in_15_minutes(
    failed: Home, server: FormServer
) -> None:
    first = failed.run("retry-failed")
    assert first.returncode == 3
    assert tries(server) == 2
    assert first.stdout == ""
    assert "trip: 1 photo failed again" in first.stderr
    assert "round 1 of 5, next in 15 min" in first.stderr
    assert re.search(r"IMG_2\.JPG +failed +418", first.stderr)
    again = failed.run("retry-failed")
    assert (again.returncode, again.stdout, again.stderr) == (3, "", "")
    assert tries(server) == 2


def test_a_photo_gets_five_rounds_each_later_than_the_last(
    failed: Home, server: FormServer
) -> None:
    for number, wait in enumerate(WAITS, 1):
        if wait:
            failed.later(wait - 30)
            early = failed.run("retry-failed")
            assert (early.returncode, early.stderr, tries(server)) == (3, "", number)
            failed.later(31)
        done = failed.run("retry-failed")
        assert f"round {number} of 5" in done.stderr
        assert tries(server) == number + 1
    failed.later(1000 * HOUR)
    assert failed.run("retry-failed").stderr == ""
    assert tries(server) == 6
    assert failed.states()["IMG_2.JPG"] == "failed"


def test_status_says_when_the_next_round_is_due(failed: Home) -> None:
    assert failed.run("status").stderr == ""  # cron may not be set up at all
    failed.run("retry-failed")
    assert re.fullmatch(r"trip: next round in 1[45] min.*\n", failed.run("status").stderr)
    failed.later(16 * MINUTE)
    assert failed.run("status").stderr == "trip: next round at cron's next turn\n"
    failed.sql("update task set rounds = 5 where state = 'failed'")
    assert failed.run("status").stderr == "trip: cron gives no more rounds\n"
    assert failed.run("status", "--json").stderr == ""


def test_rounds_can_be_fewer(failed: Home, server: FormServer) -> None:
    assert failed.run("retry-failed", "--rounds", "0").stderr == ""
    failed.run("retry-failed", "--rounds", "1")
    failed.later(1000 * HOUR)
    failed.run("retry-failed", "--rounds", "1")
    assert tries(server) == 2


@pytest.mark.long
@pytest.mark.parametrize("names", [["trip"], ["--all"]], ids=" ".join)
def test_naming_an_album_begins_the_rounds_anew(
    failed: Home, server: FormServer, names: list[str]
) -> None:
    failed.run("retry-failed")
    assert failed.run("retry-failed", *names).returncode == 3
    assert tries(server) == 3
    failed.run("retry-failed", *names)
    assert tries(server) == 4
    failed.later(15 * MINUTE + 1)
    failed.run("retry-failed")
    assert tries(server) == 5


@pytest.mark.long
def test_a_fresh_set_has_all_its_tries_and_attempts_go_on_counting(
    failed: Home, server: FormServer
) -> None:
    done = failed.run("retry-failed", "trip", "--retries", "1")
    assert done.returncode == 3
    assert tries(server) == 3
    assert "gave up after 2 tries" in done.stderr
    (task,) = failed.tasks("--state", "failed")
    assert task["attempts"] == 3


@pytest.mark.long
def test_what_is_sent_at_last_is_news_once(failed: Home, server: FormServer) -> None:
    server.answer = lambda _: answer(200, {})
    done = failed.run("retry-failed")
    assert done.returncode == 0
    assert "1 sent" in done.stderr
    assert failed.states()["IMG_2.JPG"] == "uploaded"
    again = failed.run("retry-failed")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_server_that_is_down_is_said_once_and_costs_no_tries(
    failed: Home, server: FormServer
) -> None:
    server.answer = lambda _: answer(503, {})
    server.question = lambda: (answer(503),)
    first = failed.run("retry-failed")
    assert first.returncode == 75
    assert "503" in first.stderr
    second = failed.run("retry-failed")
    assert (second.returncode, second.stderr) == (75, "")
    server.says(200)
    assert failed.run("retry-failed").returncode == 0


def test_rejected_photos_go_only_when_asked_for(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda one: answer(415 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(2)).returncode == 3
    assert home.run("retry-failed", "trip").returncode == 3
    assert tries(server) == 1
    server.answer = lambda _: answer(200, {})
    assert home.run("retry-failed", "trip", "--rejected").returncode == 0
    assert tries(server) == 2


@pytest.mark.parametrize(("resend", "sent"), [("safe", 2), ("allowed", 2), ("never", 1)])
def test_doubts_go_by_themselves_only_where_that_is_not_forbidden(
    home: Home, server: FormServer, resend: str, sent: int
) -> None:
    home.form(server, f'resend = "{resend}"\n')
    server.answer = lambda one: answer(500 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(2), "--retries", "0").returncode == 3
    assert home.states()["IMG_2.JPG"] == "in_doubt"
    server.answer = lambda _: answer(200, {})
    code = home.run("retry-failed", "trip").returncode
    assert (tries(server), code) == (sent, 0 if sent == 2 else 3)
    assert home.run("retry-failed", "trip", "--in-doubt").returncode == 0
    assert tries(server) == 2
    (task,) = [task for task in home.tasks() if task["sent_as"] == "IMG_2.JPG"]
    assert task["maybe_twice"] is (resend != "safe")


@pytest.mark.long
def test_cron_does_not_speak_of_rounds_where_it_gives_none(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda one: answer(500 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(2), "--retries", "0").returncode == 3
    home.run("retry-failed", "trip", "--in-doubt", "--retries", "0")
    home.photos(1, "more", first=9)
    server.answer = lambda _: answer(418, {})
    home.run("push", "more", "--retries", "0")
    said = home.run("retry-failed", "--retries", "0").stderr
    assert "more: 1 photo failed again (round 1 of 5" in said
    assert "trip: 1 photo failed again (round" not in said


def test_a_missing_photo_that_came_back_is_sent(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(1)
    away = home.folder / "away.jpg"
    (trip / "link.jpg").symlink_to(away)
    assert home.run("push", trip, "--follow-symlinks").returncode == 3
    assert home.states()["link.jpg"] == "missing"
    assert home.run("retry-failed").returncode == 3
    away.write_bytes(jpeg(7))
    home.later(15 * MINUTE + 1)
    assert home.run("retry-failed").returncode == 0
    assert "link.jpg" in server.names


def test_a_missing_photo_that_came_back_is_sent_by_a_push(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(1)
    away = home.folder / "away.jpg"
    (trip / "link.jpg").symlink_to(away)
    home.run("push", trip, "--follow-symlinks")
    away.write_bytes(jpeg(7))
    done = home.run("push", trip, "--follow-symlinks", "--json")
    assert done.returncode == 0
    assert home.states() == {"IMG_1.JPG": "uploaded", "link.jpg": "uploaded"}
    assert "trip: 1 photo queued" in done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [os.path.basename(one["path"]) for one in told if one["event"] == "queued"] == [
        "link.jpg"
    ]


def on_terminal(home: Home, *args: str) -> str:
    """What the command says where a person looks, lines broken at 80 columns joined again."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    terminal = home.at_terminal("retry-failed", *args, **streams, TERM="dumb")
    terminal.end()
    return terminal.said.replace("\r\n  ", " ").replace("\r\n", "\n")


def test_on_a_terminal_it_always_says_where_things_stand(failed: Home, server: FormServer) -> None:
    assert "nothing to retry, nothing to do (~/x.db)" in on_terminal(failed, "--journal", "x.db")
    first = on_terminal(failed)
    assert "trip: 0 of 1 sent, 1 not; 2 were there before; next round in 15 min\n" in first
    assert "Again: albumup retry-failed trip\n" in first
    again = on_terminal(failed)
    assert (
        "trip: nothing to do; 2 sent, 1 not (~/state/albumup/journal.db); next round in 1" in again
    )
    assert "Again: albumup retry-failed trip\n" in again
    assert tries(server) == 2
    assert failed.run("retry-failed").stderr == ""  # what was told to a person is told
    failed.sql("update task set rounds = 5")
    assert "1 not (~/state/albumup/journal.db); cron gives no more rounds\n" in on_terminal(failed)
    failed.sql("update task set state = 'pending'")
    failed.sql("update album set held = 1")
    assert (
        on_terminal(failed)
        == "trip: on hold, left alone; 3 waiting. Go on with: albumup resume trip\n"
    )


def test_cron_is_told_what_to_type(failed: Home) -> None:
    first = failed.run("retry-failed", "--rounds", "2").stderr.splitlines()
    assert first[-3:] == [
        "trip: 1 photo failed again (round 1 of 2, next in 15 min)",
        "Again: albumup retry-failed trip",
        "Details: albumup list trip --state failed    (exit 3)",
    ]
    failed.later(16 * MINUTE)
    last = failed.run("retry-failed", "--rounds", "2").stderr.splitlines()
    assert last[-3:] == [
        "trip: 1 photo failed again (round 2 of 2, the last one)",
        "It stays failed until: albumup retry-failed trip",
        "Details: albumup list trip --state failed    (exit 3)",
    ]


def test_cron_is_told_once_of_a_mistake_in_the_config(failed: Home) -> None:
    good = failed.config_file.read_text()
    for _ in range(2):  # once it was right, the same mistake is news
        failed.config_file.write_text(good.replace("retries", "retrys"))
        first = failed.run("retry-failed")
        assert first.returncode == 4
        assert "retrys: unknown key; did you mean retries?" in first.stderr
        second = failed.run("retry-failed")
        assert (second.returncode, second.stderr) == (4, "")
        failed.config_file.write_text(good)
        assert failed.run("retry-failed").returncode == 3


def test_cron_is_told_once_of_a_target_that_refuses_us(failed: Home, server: FormServer) -> None:
    server.answer = lambda _: answer(401, {})
    first = failed.run("retry-failed")
    assert first.returncode == 4
    assert "401" in first.stderr
    assert "Go on with: albumup resume trip    (exit 4)" in first.stderr
    second = failed.run("retry-failed")
    assert (second.returncode, second.stderr) == (4, "")


def test_cron_is_told_why_an_album_waits_also_where_it_knows_that_of_another(
    failed: Home, server: FormServer
) -> None:
    server.answer = lambda _: answer(401, {})
    assert "401 Unauthorized" in failed.run("retry-failed").stderr
    assert failed.run("push", failed.photos(1, "walk", first=7)).returncode == 4
    told = failed.run("retry-failed").stderr
    assert "401 Unauthorized" in told
    assert "walk: 1 waiting\nGo on with: albumup resume walk    (exit 4)" in told
    assert failed.run("retry-failed").stderr == ""


def test_cron_is_told_once_of_what_differs_only_in_figures(home: Home, server: FormServer) -> None:
    home.form(server, 'message = "error"\n')
    turn = itertools.count(1)

    def refuse(_: object) -> Step:
        number = next(turn)
        words = f"quota of album {number} used up (request 4f1c{number:04}), by {number}.5 GB"
        return answer(507, json.dumps({"error": words}).encode())

    server.answer = refuse
    assert home.run("push", home.photos(1)).returncode == 4
    first = home.run("retry-failed")
    assert first.returncode == 4
    assert "quota of album 2 used up" in first.stderr
    second = home.run("retry-failed")
    assert (second.returncode, second.stderr) == (4, "")
    assert next(turn) == 4  # it was asked again


def test_without_a_journal_it_says_nothing_and_creates_nothing(home: Home) -> None:
    cron = home.run("retry-failed")
    assert (cron.returncode, cron.stdout, cron.stderr) == (0, "", "")
    assert not (home.folder / "state").exists()


@pytest.mark.long
def test_all_leaves_what_is_on_hold_alone(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda _: answer(503, {})
    home.run("push", home.photos(1), "--patience", "0")
    home.sql("update album set held = 1")
    server.ledger.clear()
    done = home.run("retry-failed", "--all")
    assert "on hold" in done.stderr
    assert server.ledger == []
    assert home.album()["held"]


def test_every_try_of_a_body_carries_the_same_idempotency_key(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda _: answer(408, {})
    assert home.run("push", home.photos(2), "--retries", "0").returncode == 3
    server.answer = lambda _: answer(200, {})
    assert home.run("retry-failed", "trip").returncode == 0
    keys: dict[str, list[str]] = {}
    for received in server.ledger:
        keys.setdefault(received.filename, []).append(received.headers["idempotency-key"])
    assert {name: len(found) for name, found in keys.items()} == {"IMG_1.JPG": 2, "IMG_2.JPG": 2}
    assert all(len(set(found)) == 1 for found in keys.values())
    assert keys["IMG_1.JPG"] != keys["IMG_2.JPG"]


@pytest.mark.parametrize(
    ("resend", "told"),
    [
        ("safe", ["1 in doubt (round 1 of 2, next in 15 min)",
                  "1 in doubt (round 2 of 2, the last one)"]),
        ("allowed", ["1 in doubt (round 1 of 1, the last one)", ""]),
        ("never", ["", ""]),
    ],
)  # fmt: skip
def test_cron_tells_the_last_round_of_a_doubt_as_of_a_failure(
    home: Home, server: FormServer, resend: str, told: list[str]
) -> None:
    home.form(server, f'resend = "{resend}"\n')
    server.answer = lambda _: answer(500, {})
    assert home.run("push", home.photos(1), "--retries", "0").returncode == 3
    assert set(home.states().values()) == {"in_doubt"}
    for words in told:
        home.later(86400)
        said = home.run("retry-failed", "--retries", "0", "--rounds", "2").stderr
        assert words in said
        assert ("It stays in doubt until: albumup" in said) == ("the last one" in words)
    home.later(86400)
    assert home.run("retry-failed", "--retries", "0", "--rounds", "2").stderr == ""
