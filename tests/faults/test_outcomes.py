"""What becomes of a photo, and of the command, for each thing that a server can do: a test per row
of the table in docs/design.md. The real command against a form server with faults."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import within
from receiving import eventually
from servers import (
    PATIENCE,
    TAKEN,
    FormServer,
    Script,
    Step,
    answer,
    body,
    page,
    photo,
    read,
    reset,
    stall,
)
from short import short_form

from albumup.cli.task_lines import json_lines
from albumup.journal.opening import open_reader
from albumup.journal.reading import json_rows, statuses

SMALL, BIG = 2000, 16 << 20
"""Bytes of a photo: of no account, and more than all socket buffers on the way hold together."""


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    exit: int
    err: str


class Person:
    """Someone with photos, a config file and a journal, who types commands."""

    def __init__(self, folder: Path, ca_file: Path, run: within.Run) -> None:
        self.folder = folder
        self._run = run
        self.ca_file: Path | None = ca_file
        self.config = folder / "config.toml"
        self.journal = folder / "journal.db"
        self.env = {
            "HOME": str(folder),
            **{
                f"XDG_{name}_HOME": str(folder / name.lower())
                for name in ("CONFIG", "STATE", "DATA", "CACHE")
            },
            "PATH": os.environ.get("PATH", ""),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

    def form(self, url: str, more: str = "", name: str = "club") -> None:
        """Add a form target to the config; ``more`` lines belong to it."""
        with self.config.open("a") as file:
            trusted = (
                f'ca_file = "{self.ca_file}"\n' if url.startswith("https:") and self.ca_file else ""
            )
            file.write(f'[targets.{name}]\nkind = "form"\nurl = "{url}/up"\n{trusted}{more}\n')

    def photos(self, *names: str, folder: str = "trip", size: int = SMALL) -> Path:
        """A folder of photos that go in the order of their names."""
        place = self.folder / folder
        place.mkdir(exist_ok=True)
        for name in names:
            (place / f"{name}.JPG").write_bytes(b"\xff\xd8\xff " + name.encode())
            os.truncate(place / f"{name}.JPG", size)
        return place

    def run(self, *words: object) -> Done:
        command = [*map(str, words), "--journal", str(self.journal), "--config", str(self.config)]
        done = self._run(command, env=self.env, cwd=self.folder, timeout=PATIENCE)
        said = done.stderr.decode()
        assert "Traceback" not in said, said
        self.out = done.stdout.decode()
        return Done(done.returncode, said)

    def push(self, *options: object, folder: str = "trip", target: str = "club") -> Done:
        return self.run("push", self.folder / folder, "--target", target, *options)

    def tasks(self) -> dict[str, dict[str, Any]]:
        """What ``list --json`` says, by the photo's name."""
        connection = open_reader(str(self.journal))
        assert connection is not None
        with closing(connection):
            known = [(album["album"], album["target"]) for album in statuses(connection)]
            lines = [
                line
                for album in known
                for line in json_lines(*album, json_rows(connection, *album, []))
            ]
        tasks = map(json.loads, lines)
        return {os.path.basename(task["path"]).removesuffix(".JPG"): task for task in tasks}

    def states(self) -> dict[str, str]:
        return {name: task["state"] for name, task in self.tasks().items()}

    def look(self, column: str) -> dict[str, Any]:
        """A column of the journal's public view, by the photo's name."""
        with closing(
            sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True, timeout=PATIENCE)
        ) as connection:
            rows = connection.execute(f"select path, {column} from v_tasks").fetchall()
        return {os.path.basename(path).removesuffix(".JPG"): value for path, value in rows}

    def sql(self, statement: str) -> list[Any]:
        """Look into the journal, or change it: the first column."""
        with closing(sqlite3.connect(self.journal, timeout=PATIENCE)) as connection, connection:
            return [row[0] for row in connection.execute(statement).fetchall()]

    def when_uploaded(self, name: str) -> Step:
        """A step of a server's script: wait until the uploader has written that photo down as
        uploaded."""
        return lambda _line: eventually(lambda: self.look("state")[name] == "uploaded")


@pytest.fixture
def person(request: pytest.FixtureRequest, tmp_path: Path, ca_file: Path) -> Person:
    return Person(tmp_path, ca_file, within.runner(request))


@pytest.fixture(params=["http", pytest.param("https", marks=pytest.mark.long)])
def sink(request: pytest.FixtureRequest, tls: ssl.SSLContext) -> Iterator[FormServer]:
    """A form server, in clear and through TLS."""
    with FormServer(tls=tls if request.param == "https" else None) as sink:
        yield sink


@dataclass(frozen=True)
class Once:
    """A script for the first request only."""

    script: Script


def by_name(scripts: Mapping[str, Script | Once]) -> Callable[[int, str], Script | None]:
    """A rule: what befalls the requests of these photos, always or once."""
    seen: set[str] = set()

    def rule(_number: int, filename: str) -> Script | None:
        name = filename.removesuffix(".JPG")
        found = scripts.get(name)
        if not isinstance(found, Once):
            return found
        is_first = name not in seen
        seen.add(name)
        return found.script if is_first else None

    return rule


def says(status: int, *more: Any) -> Script:
    """Take the whole photo, and answer so."""
    return [photo, answer(status, {}, *more)]


def wait(event: threading.Event) -> Step:
    return lambda _line: event.wait(PATIENCE)


def meet(barrier: threading.Barrier) -> Step:
    return lambda _line: barrier.wait(PATIENCE)


def copies(sink: FormServer) -> dict[str, int]:
    """How often each photo arrived whole."""
    return dict(Counter(name.removesuffix(".JPG") for name in sink.names))


@pytest.fixture
def refused() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


# Stored.


@pytest.mark.process
def test_stored(person: Person, sink: FormServer) -> None:
    person.form(sink.url)
    person.photos("1", "2", "3")
    assert person.push().exit == 0
    tasks = person.tasks()
    assert {
        name: (task["state"], task["attempts"], task["error"]) for name, task in tasks.items()
    } == dict.fromkeys("123", ("uploaded", 1, None))
    assert {task["sha256"] for task in tasks.values()} == {
        received.sha256 for received in sink.ledger
    }
    assert copies(sink) == {"1": 1, "2": 1, "3": 1}


def test_there_before_also_when_it_is_said_early(person: Person, sink: FormServer) -> None:
    """Early it counts only where the server can know the photo by a digest that went before it."""
    early: Script = [read(16_384), answer(409), stall]
    # The second album's photos go to the same folder, and so under other names.
    sink.rule = by_name({"1": says(409), "1-2": says(409), "2": early, "2-2": early})
    for name, field in (("knows", '[targets.knows.fields]\nsum = "{sha256}"'), ("guesses", "")):
        person.form(sink.url, f"duplicate = [409]\n{field}", name)
        person.photos("1", folder=name)
        person.photos("2", folder=name, size=BIG)
    assert person.push(folder="knows", target="knows").exit == 0
    assert person.states() == {"1": "duplicate", "2": "duplicate"}
    assert person.push("--retries", 0, folder="guesses", target="guesses").exit == 3
    assert person.look("state") == {"1": "duplicate", "2": "failed"}


# Rejected.


def test_what_the_server_will_never_take_is_rejected(person: Person, sink: FormServer) -> None:
    statuses = (400, 413, 414, 415, 422)
    sink.rule = by_name(
        {str(status): says(status) for status in statuses} | {"early": [answer(413), stall]}
    )
    person.form(sink.url)
    person.photos("0", *map(str, statuses))
    person.photos("early", size=BIG)
    assert person.push().exit == 3
    tasks = person.tasks()
    assert tasks.pop("0")["state"] == "uploaded"
    assert {task["state"] for task in tasks.values()} == {"rejected"}
    assert {task["attempts"] for task in tasks.values()} == {1}
    assert all(name in task["error"] for name, task in tasks.items() if name != "early")
    assert "413" in tasks["early"]["error"]


def test_words_that_the_rules_know_reject(person: Person, sink: FormServer) -> None:
    sink.rule = by_name({"1": [photo, answer(200, b"<p>Datei zu gross</p>", mime="text/html")]})
    person.form(sink.url, 'failure_text = "zu gross"')
    person.photos("0", "1")
    assert person.push().exit == 3
    assert person.states() == {"0": "uploaded", "1": "rejected"}
    assert "zu gross" in person.tasks()["1"]["error"]


# In doubt: the whole body went, and nothing proves what became of it.


DOUBTFUL: dict[str, Script] = {
    "500": says(500),
    "502": says(502),
    "504": says(504),
    "lost": [photo, reset],
    "closed": [photo, lambda line: line.socket.close()],
    "cut": [
        photo,
        lambda line: line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        reset,
    ],
    "cut head": [
        photo,
        lambda line: line.send(b"HTTP/1.1 200 OK\r\nContent-"),
        lambda line: line.socket.close(),
    ],
    "garbage": [
        photo,
        lambda line: line.send(b"SSH-2.0-nobody\r\n"),
        lambda line: line.socket.close(),
    ],
    "silence": [photo, stall],
    "no id": says(200),
    "oversized": [photo, answer(200, b"x" * 100_000)],
}
WELL: Script = [photo, answer(200, {"id": 7})]


@pytest.mark.parametrize(
    ("resend", "state", "attempts", "maybe_twice", "code"),
    [
        ("safe", "uploaded", 2, False, 0),
        ("allowed", "uploaded", 2, True, 0),
        ("never", "in_doubt", 1, False, 3),
    ],
)
def test_a_doubt_is_sent_again_where_the_rules_let_it(
    person: Person,
    sink: FormServer,
    resend: str,
    state: str,
    attempts: int,
    maybe_twice: bool,
    code: int,
) -> None:
    sink.taken = WELL
    sink.rule = by_name({name: Once(script) for name, script in DOUBTFUL.items()})
    person.form(sink.url, f'resend = "{resend}"\nid = "id"\ntimeout = 0.5')
    person.photos("0", *DOUBTFUL)
    assert person.push("--jobs", 12).exit == code
    tasks = person.tasks()
    first = tasks.pop("0")
    assert (first["state"], first["attempts"], first["maybe_twice"]) == ("uploaded", 1, False)
    found = {
        name: (task["state"], task["attempts"], bool(task["maybe_twice"]))
        for name, task in tasks.items()
    }
    assert found == dict.fromkeys(DOUBTFUL, (state, attempts, maybe_twice))
    assert copies(sink) == {"0": 1, **dict.fromkeys(DOUBTFUL, attempts)}
    if state == "in_doubt":
        assert all(task["error"] for task in tasks.values())


@pytest.mark.long
def test_a_doubt_whose_tries_are_used_up_stays_one(person: Person, sink: FormServer) -> None:
    refusals = iter([says(500), says(408)])
    sink.rule = lambda _number, name: next(refusals) if name == "1.JPG" else None
    person.form(sink.url)
    person.photos("0", "1")
    assert person.push("--retries", 1).exit == 3
    task = person.tasks()["1"]
    assert (task["state"], task["attempts"]) == ("in_doubt", 2)
    assert "2 tries" in task["error"]


# Not taken: a try, and again.


def test_a_photo_that_is_not_taken_is_tried_again(person: Person, sink: FormServer) -> None:
    statuses = (402, 408, 418, 425, 501, 505)
    sink.rule = by_name({str(status): Once(says(status)) for status in statuses})
    person.form(sink.url, 'resend = "never"')
    person.photos("0", *map(str, statuses))
    assert person.push("--jobs", 7).exit == 0
    tasks = person.tasks()
    assert {task["state"] for task in tasks.values()} == {"uploaded"}
    assert {name: task["attempts"] for name, task in tasks.items()} == {
        "0": 1,
        **{str(s): 2 for s in statuses},
    }
    assert not any(task["maybe_twice"] for task in tasks.values())


def test_a_photo_that_is_never_taken_fails_after_its_tries(
    person: Person, sink: FormServer
) -> None:
    sink.rule = by_name({"1": says(408)})
    person.form(sink.url)
    person.photos("0", "1", "2")
    assert person.push("--retries", 1).exit == 3
    assert person.states() == {"0": "uploaded", "1": "failed", "2": "uploaded"}
    task = person.tasks()["1"]
    assert task["attempts"] == 2
    assert "408" in task["error"]
    assert "2 tries" in task["error"]


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_before_the_end_proves_that_it_was_not_taken(
    person: Person, sink: FormServer, status: int
) -> None:
    sink.rule = by_name({"1": Once([read(16_384), answer(status), stall])})
    person.form(sink.url, 'resend = "never"')
    person.photos("1", size=BIG)
    assert person.push().exit == 0
    task = person.tasks()["1"]
    assert (task["state"], task["attempts"]) == ("uploaded", 2)
    assert copies(sink) == {"1": 1}


# The target is sick, not the photo.


class Outage:
    """A server, or the proxy in front of it, that is down from its second photo on, for as many
    questions as told.

    It is well again once all that it refused has been answered: what comes late would be of a
    server that is well.
    """

    def __init__(self, sink: FormServer, status: int, questions: int) -> None:
        self.status, self.questions = status, questions
        self._refused = 0
        self._changed = threading.Condition()
        sink.rule = lambda number, _name: self._refuse() if number > 1 and self.questions else None
        sink.question = self._answer

    def _count(self, refused: int) -> None:
        with self._changed:
            self._refused += refused
            self._changed.notify_all()

    def _refuse(self) -> Script:
        self._count(1)
        return [*says(self.status), lambda _: self._count(-1)]

    def _answer(self) -> Script:
        self.questions = max(0, self.questions - 1)
        return [answer(self.status)] if self.questions else [lambda _: self._wait(), answer(200)]

    def _wait(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: not self._refused, PATIENCE)


@pytest.mark.parametrize("status", short_form([503, 429]))
def test_a_sick_target_that_recovers_costs_no_try(
    person: Person, sink: FormServer, status: int
) -> None:
    Outage(sink, status, 2)
    person.form(sink.url)
    person.photos("0", "1", "2")
    assert person.push("--retries", 0, "--jobs", 1).exit == 0
    assert set(person.states().values()) == {"uploaded"}
    assert set(person.look("tries").values()) == {1}
    assert sum(person.look("attempts").values()) == 4


def test_a_proxy_that_answers_502_costs_no_photo_a_try(person: Person, sink: FormServer) -> None:
    Outage(sink, 502, 3)
    person.form(sink.url)
    person.photos(*map(str, range(12)))
    assert person.push("--retries", 1).exit == 0
    assert set(person.states().values()) == {"uploaded"}
    # Of those in flight at the end, one may be heard only after the server has taken the next.
    assert sum(person.look("tries").values()) <= 12 + 1
    assert len(sink.requests) <= 12 + 4, "what was in flight is sent twice, and nothing else"


@pytest.mark.long
def test_a_pause_outlives_the_run(person: Person, sink: FormServer) -> None:
    outage = Outage(sink, 502, 10**6)
    person.form(sink.url)
    person.photos(*map(str, range(6)))
    assert person.push("--patience", "1s").exit == 75
    sent = len(sink.requests)
    assert person.run("retry-failed").exit == 75
    assert len(sink.requests) == sent, "it begins with a question, and that is not answered"
    person.sql("update target set sick_since = sick_since - 7200")
    assert "club has not worked for 2 h: 502" in person.run("status").err
    outage.questions = 0
    assert person.run("retry-failed").exit == 0
    assert set(person.look("tries").values()) == {1}


@pytest.mark.long
def test_a_photo_whose_last_try_fails_waits_for_the_next_outcome(
    person: Person, sink: FormServer
) -> None:
    """Two in a row without a try of their own say that it is the target: the last try of the first
    was not its own."""
    wrong = iter(["1", "2"])
    sink.rule = lambda number, _name: says(500) if number > 1 and next(wrong, None) else None
    person.form(sink.url)
    person.photos("0", "1", "2", "3")
    assert person.push("--retries", 0, "--jobs", 1).exit == 0
    assert set(person.look("tries").values()) == {1}


@pytest.mark.long
def test_never_twice_spends_three_photos_on_a_pause(person: Person, sink: FormServer) -> None:
    down = [True]
    sink.rule = lambda number, _name: says(500) if number > 1 and down[0] else None
    person.form(sink.url, 'resend = "never"')
    person.photos(*map(str, range(9)))
    done = person.push("--jobs", 1, "--patience", "5m")
    assert done.exit == 75
    assert "The others wait for: albumup resume" in done.err
    states = Counter(person.states().values())
    assert states == {"uploaded": 1, "in_doubt": 5, "pending": 3}, (
        "two that showed it, three that looked"
    )
    down[0] = False
    assert person.run("retry-failed").exit == 75, "cron spends no more"
    assert person.run("retry-failed", "--patience", "2s").exit == 75, "however long it may wait"
    assert Counter(person.states().values()) == states
    assert person.run("resume").exit == 3
    assert Counter(person.states().values()) == {"uploaded": 4, "in_doubt": 5}


@pytest.mark.long
def test_a_photo_that_a_kill_cut_off_in_a_pause_is_spent_too(
    person: Person, sink: FormServer
) -> None:
    Outage(sink, 502, 10**6)
    person.form(sink.url, 'resend = "never"')
    person.photos(*map(str, range(12)))
    assert person.push("--patience", "1s").exit == 75
    (before,) = person.sql("select spent from target")
    (waiting,) = person.sql("select max(id) from task where state = 'pending'")
    # What a kill leaves behind, after the whole photo was sent.
    person.sql(f"update task set state = 'sending' where id = {waiting}")
    person.sql(
        "insert into attempt (task_id, run_id, boundary, number, started, whole_at)"
        f" values ({waiting}, 1, 'b', 1, unixepoch(), unixepoch())"
    )
    assert person.run("retry-failed").exit == 75
    assert person.sql("select spent from target") == [before + 1]


# A target that never accepted a photo.


def test_three_photos_refused_alike_end_a_target_that_never_accepted_one(
    person: Person, sink: FormServer
) -> None:
    sink.rule = lambda _number, name: [
        photo,
        answer(400, {"error": f"no field called upload for {name}"}),
    ]
    person.form(sink.url)
    person.photos(*map(str, range(6)))
    done = person.push()
    assert done.exit == 4
    assert len(sink.requests) == 3
    assert set(person.states().values()) == {"pending"}
    assert all(key in done.err for key in ("targets.club.url", "targets.club.file_field", "400"))
    assert sum("400" in (task["error"] or "") for task in person.tasks().values()) == 3


def test_three_photos_answered_by_the_same_no_in_a_2xx_end_it_too(
    person: Person, sink: FormServer
) -> None:
    sink.rule = lambda _number, _name: [
        photo,
        answer(200, {"success": False, "error": "no file was sent"}),
    ]
    person.form(sink.url)
    person.photos(*map(str, range(6)))
    done = person.push("--jobs", 1)
    assert done.exit == 4
    assert sorted(person.look("attempts").values()) == [0, 0, 0, 1, 1, 1]
    assert set(person.states().values()) == {"pending"}
    assert all(
        words in done.err
        for words in ("no file was sent", "targets.club.file_field", "targets.club.success")
    )


def test_a_photo_of_another_type_is_tried_before_a_target_is_given_up(
    person: Person, sink: FormServer
) -> None:
    sink.rule = lambda _number, name: says(415) if name.endswith(".JPG") else None
    person.form(sink.url)
    place = person.photos(*map(str, range(6)))
    (place / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    assert person.push().exit == 3
    assert person.states() == {**dict.fromkeys(map(str, range(6)), "rejected"), "z.png": "uploaded"}
    assert sink.requests[3] == "z.png"


def test_two_types_that_are_refused_alike_are_enough(person: Person, sink: FormServer) -> None:
    sink.rule = lambda _number, _name: says(400)
    person.form(sink.url)
    place = person.photos(*map(str, range(6)))
    for number in range(6):
        (place / f"z{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99 + number))
    assert person.push().exit == 4
    assert sink.requests[3].endswith(".png")
    assert len(sink.requests) == 4


def test_a_page_that_no_rule_knows_is_not_what_a_target_that_never_accepted_one_means(
    person: Person, sink: FormServer
) -> None:
    """Where pages are the rule, too: a wrong password is told by one."""
    sink.rule = lambda _number, _name: [photo, page(200)]
    person.form(sink.url, 'success_text = "Danke"\nresend = "never"')
    person.photos(*"123")
    done = person.push()
    assert done.exit == 4
    assert "success_text" in done.err
    assert len(sink.requests) == 1
    assert sorted(person.states().values()) == ["in_doubt", "pending", "pending"]


def test_the_first_photo_accepted_makes_those_refused_before_rejected(
    person: Person, sink: FormServer
) -> None:
    sink.rule = by_name({"0": says(413), "1": says(413)})
    person.form(sink.url)
    person.photos("0", "1", "2")
    assert person.push().exit == 3
    assert person.states() == {"0": "rejected", "1": "rejected", "2": "uploaded"}


@pytest.mark.long
@pytest.mark.parametrize("script", [says(429), says(503)], ids=["429", "503"])
def test_a_sick_target_is_given_up_when_patience_ends(
    person: Person, sink: FormServer, script: Script
) -> None:
    sink.rule = by_name({"1": script, "2": script})
    person.form(sink.url)
    person.photos("0", "1", "2")
    assert person.push("--patience", "0s", "--jobs", 1).exit == 75
    assert person.states() == {"0": "uploaded", "1": "pending", "2": "pending"}
    assert person.look("tries") == {"0": 1, "1": 0, "2": 0}


def test_a_target_that_wants_more_time_than_there_is_is_given_up_at_once(
    person: Person, sink: FormServer
) -> None:
    sink.rule = by_name({"1": says(503, [("Retry-After", "3600")])})
    person.form(sink.url)
    person.photos("0", "1")
    assert person.push("--patience", "10m").exit == 75
    assert person.states() == {"0": "uploaded", "1": "pending"}


def test_a_photo_that_alone_is_refused_for_ever_fails(person: Person, sink: FormServer) -> None:
    again = threading.Event()
    refusals = iter(["2", "3"])

    def rule(_number: int, name: str) -> Script | None:
        if name == "3.JPG":
            return [wait(again), *TAKEN]
        if name != "1.JPG":
            return None
        other = next(refusals)
        if other == "3":
            again.set()
        return [body, person.when_uploaded(other), answer(503)]

    sink.rule = rule
    person.form(sink.url)
    person.photos("0", "1", "2", "3")
    assert person.push("--retries", 1, "--jobs", 2).exit == 3
    assert person.states() == {"0": "uploaded", "1": "failed", "2": "uploaded", "3": "uploaded"}
    assert person.look("tries")["1"] == 2


@pytest.mark.process
def test_nobody_listens(person: Person, refused: str) -> None:
    person.form(refused)
    person.photos("1", "2")
    done = person.push("--patience", "0s")
    assert done.exit == 75
    assert person.states() == {"1": "pending", "2": "pending"}
    assert person.look("tries") == {"1": 0, "2": 0}
    assert "refused" in done.err


# The line broke in the middle.


@pytest.mark.long
@pytest.mark.parametrize(
    "fault", [reset, stall, lambda line: line.socket.close()], ids=["reset", "silence", "closed"]
)
def test_one_upload_that_breaks_costs_a_try(person: Person, sink: FormServer, fault: Step) -> None:
    sink.rule = by_name({"1": Once([read(16_384), fault])})
    person.form(sink.url, 'timeout = 0.5\nresend = "never"')
    person.photos("0")
    person.photos("1", size=BIG)
    assert person.push("--jobs", 2).exit == 0
    assert person.states() == {"0": "uploaded", "1": "uploaded"}
    assert person.look("tries") == {"0": 1, "1": 2}
    assert copies(sink) == {"0": 1, "1": 1}


@pytest.mark.long
def test_one_of_two_that_breaks_costs_a_try(person: Person, sink: FormServer) -> None:
    both = threading.Barrier(2)
    sink.rule = by_name(
        {"1": Once([read(16_384), meet(both), reset]), "2": Once([meet(both), *TAKEN])}
    )
    person.form(sink.url)
    person.photos("0")
    person.photos("1", "2", size=BIG)
    assert person.push("--jobs", 2).exit == 0
    assert person.look("tries") == {"0": 1, "1": 2, "2": 1}


def test_a_line_that_breaks_under_all_of_them_costs_nothing(
    person: Person, sink: FormServer
) -> None:
    both = threading.Barrier(2)
    fall: Script = [read(16_384), meet(both), reset]
    sink.rule = by_name({"1": Once(fall), "2": Once(fall)})
    person.form(sink.url)
    person.photos("0")
    person.photos("1", "2", size=BIG)
    assert person.push("--jobs", 2, "--retries", 0).exit == 0
    assert set(person.states().values()) == {"uploaded"}
    assert person.look("tries") == {"0": 1, "1": 1, "2": 1}
    assert person.look("attempts") == {"0": 1, "1": 2, "2": 2}


@pytest.mark.long
def test_a_server_that_is_gone_after_the_break_is_sick(person: Person, sink: FormServer) -> None:
    sink.rule = by_name({"1": [read(16_384), lambda line: line.server.refuse(), reset]})
    person.form(sink.url)
    person.photos("0")
    person.photos("1", size=BIG)
    assert person.push("--patience", "0s", "--retries", 0).exit == 75
    assert person.states() == {"0": "uploaded", "1": "pending"}
    assert person.look("tries") == {"0": 1, "1": 0}


# The target refuses us.


@pytest.mark.parametrize("status", [401, 403, 507])
def test_a_target_that_refuses_us_keeps_its_photos_pending(
    person: Person, sink: FormServer, status: int
) -> None:
    sink.rule = lambda number, _name: says(status) if number > 1 else None
    person.form(sink.url)
    person.photos("0", "1", "2")
    done = person.push("--jobs", 1)
    assert done.exit == 4
    assert str(status) in done.err
    assert person.states() == {"0": "uploaded", "1": "pending", "2": "pending"}
    assert person.look("tries") == {"0": 1, "1": 0, "2": 0}
    assert len(sink.requests) == 2


def test_a_photo_that_alone_is_forbidden_is_no_refusal_of_us(
    person: Person, sink: FormServer
) -> None:
    sink.rule = by_name({"1": Once([body, person.when_uploaded("2"), answer(403)])})
    person.form(sink.url)
    person.photos("0", "1", "2")
    assert person.push("--jobs", 2).exit == 0
    assert person.look("tries") == {"0": 1, "1": 2, "2": 1}


# The address is wrong, or a portal sits between.


WRONG_ADDRESS: dict[str, Script] = {
    "301": [body, answer(301, b"", [("Location", "https://elsewhere.test/login")])],
    "404": [body, answer(404)],
    "405": [body, answer(405)],
    "410": [body, answer(410)],
    "page": [body, page(200)],
}


@pytest.mark.parametrize("script", WRONG_ADDRESS.values(), ids=WRONG_ADDRESS)
def test_a_wrong_address_is_a_matter_of_the_config(
    person: Person, sink: FormServer, script: Script
) -> None:
    sink.rule = lambda _number, _name: script
    person.form(sink.url)
    person.photos("1", "2", "3")
    done = person.push()
    assert done.exit == 4
    assert "targets.club.url" in done.err
    assert set(person.states().values()) == {"pending"}
    assert set(person.look("tries").values()) == {0}
    assert len(sink.requests) == 1


@pytest.mark.process
@pytest.mark.parametrize(
    ("resend", "attempts", "maybe_twice", "code"), [("never", 1, False, 3), ("allowed", 2, True, 0)]
)
def test_a_page_that_was_a_yes_is_in_doubt_when_the_config_is_mended(
    person: Person, sink: FormServer, resend: str, attempts: int, maybe_twice: bool, code: int
) -> None:
    sink.rule = lambda _number, _name: [photo, page(201)]
    person.form(sink.url, f'resend = "{resend}"')
    person.photos("1", "2")
    done = person.push()
    assert done.exit == 4
    assert "targets.club.url; if that is how it says yes: success_text and success" in done.err
    person.config.unlink()
    person.form(sink.url, f'resend = "{resend}"\nsuccess_text = "Wi-Fi"')
    assert person.run("resume").exit == code
    assert copies(sink) == {"1": attempts, "2": 1}
    task = person.tasks()["1"]
    assert (task["state"], task["maybe_twice"]) == (
        "in_doubt" if resend == "never" else "uploaded",
        maybe_twice,
    )


@pytest.mark.long
@pytest.mark.parametrize("script", WRONG_ADDRESS.values(), ids=WRONG_ADDRESS)
def test_a_target_that_was_right_before_is_only_sick(
    person: Person, sink: FormServer, script: Script
) -> None:
    sink.rule = lambda number, _name: script if number > 1 else None
    person.form(sink.url)
    person.photos("0", "1", "2")
    assert person.push("--patience", "0s", "--jobs", 1).exit == 75
    assert person.states() == {"0": "uploaded", "1": "pending", "2": "pending"}
    assert person.look("tries") == {"0": 1, "1": 0, "2": 0}


@pytest.mark.long
def test_a_portal_that_goes_away_costs_nothing(person: Person, sink: FormServer) -> None:
    sink.rule = lambda number, _name: [body, page()] if number == 2 else None
    person.form(sink.url)
    person.photos("0", "1")
    assert person.push("--retries", 0).exit == 0
    assert person.look("tries") == {"0": 1, "1": 1}


def test_an_unknown_host_is_a_matter_of_the_config(person: Person, tmp_path: Path) -> None:
    resolver = tmp_path / "site"
    resolver.mkdir()
    (resolver / "sitecustomize.py").write_text(
        "import socket\n"
        "def nobody(*_, **__):\n"
        "    raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')\n"
        "socket.getaddrinfo = nobody\n"
    )
    person.env["PYTHONPATH"] = f"{resolver}:{person.env['PYTHONPATH']}"
    person.form("http://photos.invalid")
    person.photos("1", "2")
    done = person.push()
    assert done.exit == 4
    assert "targets.club.url" in done.err
    assert "photos.invalid" in done.err
    assert person.states() == {"1": "pending", "2": "pending"}
    assert person.look("tries") == {"1": 0, "2": 0}


def test_a_certificate_that_does_not_verify_is_a_matter_of_the_config(
    person: Person, tls: ssl.SSLContext, ca_file: Path
) -> None:
    person.ca_file = None
    with FormServer(tls=tls) as sink:
        person.form(sink.url)
        person.photos("1")
        done = person.push()
        assert done.exit == 4
        assert "targets.club" in done.err
        assert "certificate" in done.err
        assert person.look("tries") == {"1": 0}
        person.config.unlink()
        person.form(sink.url, f'ca_file = "{ca_file}"')
        assert person.run("resume").exit == 0
        assert copies(sink) == {"1": 1}


# One target and another, one photo and the others.


def test_until_the_first_is_accepted_one_goes_at_a_time(person: Person, sink: FormServer) -> None:
    second = threading.Event()

    def rule(number: int, _name: str) -> Script | None:
        if number == 1:
            # A second request would come within this time, and be seen.
            return [body, lambda _line: second.wait(0.5), answer(500)]
        second.set()
        return says(500) if number < 4 else None

    sink.rule = rule
    person.form(sink.url)
    person.photos(*"123456")
    assert person.push("--retries", 0, "--jobs", 4).exit == 0
    assert sink.most_before_first == 1
    assert set(person.states().values()) == {"uploaded"}, (
        "three in a row: it was not the photos' fault"
    )


@pytest.mark.long
@pytest.mark.parametrize(("fault", "code"), [("refused", 75), ("401", 4), ("503", 75), ("404", 4)])
def test_a_target_that_is_down_stops_no_other(
    person: Person, sink: FormServer, refused: str, fault: str, code: int
) -> None:
    with FormServer() as other:
        person.form(other.url if fault != "refused" else refused, name="down")
        person.form(sink.url)
        other.rule = sink.rule = lambda _number, _name: [body, answer(503)]
        for folder, target in (("one", "down"), ("two", "club")):
            person.photos("1", "2", folder=folder)
            assert person.push("--patience", "0s", folder=folder, target=target).exit == 75
        sink.rule = lambda _number, _name: None
        other.rule = lambda _number, _name: says(int(fault))
        assert person.run("resume", "--patience", "0s").exit == code
        assert copies(sink) == {"1": 1, "2": 1}
        with closing(sqlite3.connect(person.journal)) as connection:
            found = connection.execute(
                "select target, state, count(*) from v_tasks group by 1, 2"
            ).fetchall()
        assert sorted(found) == [("club", "uploaded", 2), ("down", "pending", 2)]
