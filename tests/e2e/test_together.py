"""Several at once: one sends, the others hand over and follow."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing

import pytest
from servers import FormServer, answer
from short import short_form

from albumup.journal.lock import FileLock

from .conftest import Home, finish, until

pytestmark = pytest.mark.process


def uploader(home: Home, server: FormServer, *args: object, **env: str) -> subprocess.Popen[str]:
    """A push of the album ``trip`` that waits for an answer, one photo in flight."""
    home.photos(2)
    server.may_answer.clear()
    process = home.start("push", "trip", "-j1", *args, **env)
    until(lambda: server.in_flight)
    return process


def follower(home: Home, *args: object, **env: str) -> subprocess.Popen[str]:
    """Another push, of the album ``more``, once the uploader has taken it over."""
    home.photos(2, "more", first=11)
    process = home.start("push", "more", *args, **env)
    until(
        lambda: (
            (2,) in home.sql("select count(*) from scope where run_id = (select max(id) from run)")
        ),
        "handed over",
    )
    return process


def test_the_second_hands_over_and_each_ends_with_its_albums_code(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_12.JPG" else 200, {})
    first = uploader(home, server)
    second = follower(home)
    server.may_answer.set()
    done = finish(second)
    assert done.returncode == 3
    assert f"Process {first.pid} is uploading" in done.stderr
    assert "IMG_12.JPG" in done.stderr
    assert finish(first).returncode == 0  # its own album is well
    assert Counter(server.names) == dict.fromkeys(
        ["IMG_1.JPG", "IMG_2.JPG", "IMG_11.JPG", "IMG_12.JPG"], 1
    )
    assert home.sql("select count(*) from run") == [(1,)]


def test_of_a_schedules_pushes_one_waits_for_a_run_that_lasts(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    schedule = {"ALBUMUP_SCHEDULE": "albumup-push-1a2b3c4d"}
    first = uploader(home, server, **schedule)
    second = follower(home, **schedule)
    third = home.run("push", "more", **schedule)
    assert (third.returncode, third.stdout, third.stderr) == (0, "", "")
    server.may_answer.set()
    assert [finish(one).returncode for one in (first, second)] == [0, 0]


@pytest.mark.parametrize(
    ("typed", "ignored"),
    short_form([(("--patience=9s", "--retries=3"), ["--patience"]), (("-j2",), []), ((), [])]),
)
def test_a_follower_names_the_options_that_were_typed_in_vain(
    home: Home, server: FormServer, typed: tuple[str, ...], ignored: list[str]
) -> None:
    home.form(server)
    first = uploader(home, server, "--limit-rate=900M")
    second = follower(home, *typed)
    server.may_answer.set()
    said = finish(second).stderr
    finish(first)
    assert [
        line.rpartition(": ")[2] for line in said.splitlines() if "ignored here" in line
    ] == ignored


@pytest.mark.long
def test_a_follower_whose_album_is_well_ends_with_0(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    first = uploader(home, server)
    second = follower(home)
    server.may_answer.set()
    assert finish(second).returncode == 0
    assert finish(first).returncode == 3


@pytest.mark.long
def test_a_photo_that_is_handed_over_gets_a_try_however_long_it_was_to_wait(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    assert home.run("push", home.photos(1, "first", first=21)).returncode == 0
    server.answer = lambda _: answer(503, {}, headers=(("Retry-After", "3000"),))
    assert home.run("push", home.photos(1, "more", first=11), "--patience", "1s").returncode == 75
    server.answer = lambda _: answer(200, {})
    first = uploader(home, server)
    second = follower(home)
    server.may_answer.set()
    assert finish(second).returncode == 0
    assert finish(first).returncode == 0


@pytest.mark.long
def test_five_at_once_on_a_journal_that_does_not_exist_yet(home: Home, server: FormServer) -> None:
    home.form(server)
    for number in range(5):
        home.photos(3, f"album{number}", first=10 * number)
    started = [home.start("push", f"album{number}") for number in range(5)]
    assert [finish(process).returncode for process in started] == [0] * 5
    assert Counter(server.names) == {
        f"IMG_{10 * number + n}.JPG": 1 for number in range(5) for n in range(3)
    }
    assert len(home.status()["albums"]) == 5


def test_the_same_folder_pushed_twice_at_once_is_sent_once(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(5)
    started = [home.start("push", "trip") for _ in range(3)]
    assert [finish(process).returncode for process in started] == [0] * 3
    assert len(server.ledger) == 5


def test_status_names_who_uploads(home: Home, server: FormServer) -> None:
    home.form(server)
    first = uploader(home, server)
    found = home.status()["uploader"]
    assert found["pid"] == first.pid
    assert found["since"].endswith("Z")
    assert f"running pid {first.pid}" in home.run("status").stdout
    first.kill()
    first.wait()
    assert home.status()["uploader"] is None


def test_nobody_hands_over_to_a_run_that_was_killed(home: Home, server: FormServer) -> None:
    """Somebody has the lock, and has not yet ended the run of the uploader before."""
    home.form(server)
    home.photos(1)
    server.says(503)
    assert home.run("push", "trip", "--patience", "0").returncode == 75
    gone = subprocess.Popen([sys.executable, "-S", "-c", ""])
    gone.wait()
    with FileLock(f"{home.journal}.lock"), closing(sqlite3.connect(home.journal)) as journal:
        journal.execute(
            "insert into run (pid, started, options) values (?, ?, '{}')", (gone.pid, time.time())
        )
        journal.commit()
        late = home.start("retry-failed")
        joined = "select 1 from scope join run on run.id = run_id where pid = ?"
        until(lambda: journal.execute(joined, (gone.pid,)).fetchone())
        server.says(200)
        journal.execute("update run set ended = ? where pid = ?", (time.time(), gone.pid))
        journal.commit()
    assert finish(late).returncode == 0
    assert home.states() == {"IMG_1.JPG": "uploaded"}


@pytest.mark.long
def test_cron_hands_over_without_a_word(home: Home, server: FormServer) -> None:
    home.form(server)
    first = uploader(home, server)
    cron = home.run("retry-failed")
    assert (cron.returncode, cron.stdout, cron.stderr) == (0, "", "")
    server.may_answer.set()
    assert finish(first).returncode == 0


def test_a_follower_takes_over_when_the_uploader_is_killed(home: Home, server: FormServer) -> None:
    home.form(server, 'resend = "safe"\n')
    first = uploader(home, server)
    second = follower(home)
    first.kill()
    first.wait()
    server.may_answer.set()
    assert finish(second).returncode == 0
    assert {"IMG_11.JPG", "IMG_12.JPG"} <= set(server.names)
    assert home.sql("select count(*) from v_tasks where album = 'more' and state = 'uploaded'") == [
        (2,)
    ]


def test_ctrl_c_leaves_a_follower_and_stops_nothing(home: Home, server: FormServer) -> None:
    home.form(server)
    first = uploader(home, server)
    second = follower(home)
    until(lambda: second.stderr is not None and "Ctrl-C" in second.stderr.readline())
    second.send_signal(signal.SIGINT)
    done = finish(second)
    assert done.returncode == 130
    assert str(first.pid) in done.stderr
    server.may_answer.set()
    assert finish(first).returncode == 0
    assert len(server.ledger) == 4
    assert not any(album["held"] for album in home.status()["albums"])


@pytest.mark.long
def test_a_follower_ends_with_the_uploader_when_that_is_stopped(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    first = uploader(home, server)
    second = follower(home)
    first.send_signal(signal.SIGTERM)
    assert first.stderr is not None
    until(lambda: "Finishing 1" in first.stderr.readline())
    server.may_answer.set()
    assert finish(first).returncode == 143
    assert finish(second).returncode == 143
    assert len(server.ledger) == 1


@pytest.mark.long
def test_options_that_differ_are_named_and_ignored(home: Home, server: FormServer) -> None:
    home.form(server)
    first = uploader(home, server, "--retries", "2")
    second = follower(home, "-j1", "--retries", "2", "--patience", "9s")
    third = home.run("resume", "--retries", "9", "--patience", "1m", "--detach").stderr
    assert "ignored here: --retries, --patience\n" in third
    server.may_answer.set()
    said = finish(second).stderr
    assert finish(first).returncode == 0
    (line,) = [line for line in said.splitlines() if "ignored" in line]
    assert "--patience" in line
    assert "--retries" not in line
    assert "--jobs" not in line
    assert server.most_in_flight == 1


@pytest.mark.long
def test_a_rate_and_a_number_of_uploads_are_taken_over_at_once(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    assert home.run("push", home.photos(1, "first", first=21)).returncode == 0
    home.photos(6)
    server.may_answer.clear()
    first = home.start("push", "trip", "-j1")
    until(lambda: server.in_flight == 1)
    second = home.start("resume", "--limit-rate", "1M", "-j3")
    assert second.stderr is not None
    words = f"Process {first.pid} goes on with 1.0 MB/s and 3 uploads at once."
    until(lambda: words in second.stderr.readline())
    until(lambda: server.in_flight == 3)
    options = home.sql("select options from run order by id desc limit 1")[0][0]
    assert '"jobs": 3' in options
    assert '"limit_rate": "1M"' in options
    third = home.run("resume", "--limit-rate", "off", "--detach")
    assert third.returncode == 0
    server.may_answer.set()
    assert finish(second).returncode == 0
    ended = finish(first)
    assert ended.returncode == 0
    assert "Goes on with no rate limit, as another command asked." in ended.stderr
    assert server.most_in_flight == 3


@pytest.mark.long
def test_a_token_that_only_the_followers_shell_has_is_used_by_the_follower(
    home: Home, server: FormServer
) -> None:
    home.config(
        f'default_target = "open"\n[targets.open]\nkind = "form"\nurl = "{server.url}"\n'
        f'[targets.closed]\nkind = "form"\nurl = "{server.url}?closed"\ntoken_env = "CLUB_TOKEN"\n'
    )
    first = uploader(home, server)
    second = follower(home, "--target", "closed", CLUB_TOKEN="hush-hush")
    server.may_answer.set()
    assert finish(second).returncode == 0
    assert finish(first).returncode == 0  # what it was handed and could not send is not its own
    sent = {one.filename: one.headers.get("authorization") for one in server.ledger}
    assert sent == {
        "IMG_1.JPG": None,
        "IMG_2.JPG": None,
        "IMG_11.JPG": "Bearer hush-hush",
        "IMG_12.JPG": "Bearer hush-hush",
    }


def test_resume_while_one_uploads_lifts_a_hold_and_hands_over(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.run("push", home.photos(1, "held", first=31), "--target", "inbox")
    home.sql("update task set state = 'pending'")
    home.sql("update album set held = 1")
    first = uploader(home, server)
    second = home.start("resume", "held")
    until(lambda: home.sql("select held from album where name = 'held'") == [(0,)])
    server.may_answer.set()
    assert finish(second).returncode == 0
    assert finish(first).returncode == 0
    assert {album["album"]: album["counts"]["pending"] for album in home.status()["albums"]} == {
        "held": 0,
        "trip": 0,
    }


@pytest.mark.long
def test_resume_beside_an_uploader_tells_only_of_what_had_work(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.run("push", home.photos(1, "old", first=31))
    first = uploader(home, server)
    second = home.start("resume")
    assert second.stderr is not None
    assert "were added to its work" in second.stderr.readline()
    server.may_answer.set()
    said = finish(second)
    assert (said.returncode, finish(first).returncode) == (0, 0)
    assert "trip: " in said.stderr
    assert "old: " not in said.stderr


@pytest.mark.long
def test_a_journal_under_two_names_has_one_uploader(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_answer.clear()
    first = home.start("push", home.photos(3))
    until(lambda: server.in_flight)
    (home.folder / "link.db").symlink_to(home.journal)
    second = home.start("resume", "--journal", home.folder / "link.db")
    assert second.stderr is not None
    assert any("is uploading" in line for line in second.stderr)  # up to that line: it follows
    server.may_answer.set()
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert sorted(server.names) == ["IMG_1.JPG", "IMG_2.JPG", "IMG_3.JPG"]


@pytest.mark.long
def test_twenty_at_once_push_resume_and_cron_lose_nothing_and_send_nothing_twice(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    for number in range(8):
        home.photos(2, f"album{number}", first=10 * number)
    started = [home.start("push", f"album{number}") for number in range(8)]
    for _ in range(6):
        started += [home.start("resume"), home.start("retry-failed")]
    assert {finish(process).returncode for process in started} == {0}
    assert home.run("resume").returncode == 0
    assert Counter(server.names) == {
        f"IMG_{10 * number + n}.JPG": 1 for number in range(8) for n in range(2)
    }


def stop_between_transactions(home: Home, process: subprocess.Popen[str]) -> None:
    """Stop a process while it does not hold the journal's write lock, for which others can only
    wait."""

    def is_stopped_there() -> bool:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        with contextlib.closing(
            sqlite3.connect(home.journal, timeout=0, isolation_level=None)
        ) as journal:
            try:
                journal.execute("begin immediate")
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
                return False
            journal.execute("rollback")
        return True

    until(is_stopped_there)


@pytest.mark.long
def test_a_stopped_uploader_is_not_robbed(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_answer.clear()
    first = home.start("push", home.photos(2))
    until(lambda: server.in_flight)
    stop_between_transactions(home, first)
    second = home.start("resume")
    assert second.stderr is not None
    assert any("is uploading" in line for line in second.stderr)
    server.may_answer.set()
    until(lambda: not server.in_flight)
    assert second.poll() is None
    assert len(server.requests) == 1
    first.send_signal(signal.SIGCONT)
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert sorted(server.names) == ["IMG_1.JPG", "IMG_2.JPG"]


def test_the_lock_file_is_never_unlinked(home: Home, server: FormServer) -> None:
    home.form(server)
    assert home.run("push", home.photos(1)).returncode == 0
    lock = home.journal.parent / "journal.db.lock"
    before = lock.stat().st_ino
    home.photos(1, first=2)
    for line in (
        ["push", "trip"],
        ["resume"],
        ["retry-failed"],
        ["cancel", "trip"],
        ["forget", "trip"],
    ):
        assert home.run(*line).returncode == 0
        assert lock.stat().st_ino == before
