"""What becomes of a photo, and of the command, for each thing that a server can do: a test per row
of the table in docs/design.md. The real command against a form server with faults."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import within
from home import Home, until
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

SMALL, BIG = 2000, 16 << 20
"""Bytes of a photo: of no account, and more than all socket buffers on the way hold together."""


def tasks_of(home: Home) -> dict[str, dict[str, Any]]:
    """What ``list --json`` says, by the photo's name."""
    return {stem(os.path.basename(task["path"])): task for task in home.tasks()}


def states_of(home: Home) -> dict[str, str]:
    return {name: task["state"] for name, task in tasks_of(home).items()}


def look(home: Home, column: str) -> dict[str, Any]:
    """A column of the journal's public view, by the photo's name."""
    return {stem(name): value for name, value in home.look(column).items()}


def stem(name: str) -> str:
    return name.removesuffix(".JPG")


def push(
    home: Home, *options: object, folder: str = "trip", target: str = "club"
) -> subprocess.CompletedProcess[str]:
    return home.run("push", folder, "--target", target, *options)


def when_uploaded(home: Home, name: str) -> Step:
    """A step of a server's script: wait until the uploader has written that photo down as
    uploaded."""
    return lambda _line: until(lambda: look(home, "state")[name] == "uploaded")


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path, ca_file: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home", within.runner(request), ca_file=ca_file)
    yield home
    home.close()


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
def test_stored(home: Home, sink: FormServer) -> None:
    home.form(sink)
    home.named("1", "2", "3")
    assert push(home).returncode == 0
    tasks = tasks_of(home)
    assert {
        name: (task["state"], task["attempts"], task["error"]) for name, task in tasks.items()
    } == dict.fromkeys("123", ("uploaded", 1, None))
    assert {task["sha256"] for task in tasks.values()} == {
        received.sha256 for received in sink.ledger
    }
    assert copies(sink) == {"1": 1, "2": 1, "3": 1}


def test_there_before_also_when_it_is_said_early(home: Home, sink: FormServer) -> None:
    """Early it counts only where the server can know the photo by a digest that went before it."""
    early: Script = [read(16_384), answer(409), stall]
    # The second album's photos go to the same folder, and so under other names.
    sink.rule = by_name({"1": says(409), "1-2": says(409), "2": early, "2-2": early})
    for name, field in (("knows", '[targets.knows.fields]\nsum = "{sha256}"'), ("guesses", "")):
        home.form(sink, f"duplicate = [409]\n{field}", name, also=True)
        home.named("1", folder=name)
        home.named("2", folder=name, size=BIG)
    assert push(home, folder="knows", target="knows").returncode == 0
    assert states_of(home) == {"1": "duplicate", "2": "duplicate"}
    assert push(home, "--retries", 0, folder="guesses", target="guesses").returncode == 3
    assert look(home, "state") == {"1": "duplicate", "2": "failed"}


# Rejected.


def test_what_the_server_will_never_take_is_rejected(home: Home, sink: FormServer) -> None:
    statuses = (400, 413, 414, 415, 422)
    sink.rule = by_name(
        {str(status): says(status) for status in statuses} | {"early": [answer(413), stall]}
    )
    home.form(sink)
    home.named("0", *map(str, statuses))
    home.named("early", size=BIG)
    assert push(home).returncode == 3
    tasks = tasks_of(home)
    assert tasks.pop("0")["state"] == "uploaded"
    assert {task["state"] for task in tasks.values()} == {"rejected"}
    assert {task["attempts"] for task in tasks.values()} == {1}
    assert all(name in task["error"] for name, task in tasks.items() if name != "early")
    assert "413" in tasks["early"]["error"]


def test_words_that_the_rules_know_reject(home: Home, sink: FormServer) -> None:
    sink.rule = by_name({"1": [photo, answer(200, b"<p>Datei zu gross</p>", mime="text/html")]})
    home.form(sink, 'failure_text = "zu gross"')
    home.named("0", "1")
    assert push(home).returncode == 3
    assert states_of(home) == {"0": "uploaded", "1": "rejected"}
    assert "zu gross" in tasks_of(home)["1"]["error"]


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
    home: Home,
    sink: FormServer,
    resend: str,
    state: str,
    attempts: int,
    maybe_twice: bool,
    code: int,
) -> None:
    sink.taken = WELL
    sink.rule = by_name({name: Once(script) for name, script in DOUBTFUL.items()})
    home.form(sink, f'resend = "{resend}"\nid = "id"\ntimeout = 0.5')
    home.named("0", *DOUBTFUL)
    assert push(home, "--jobs", 12).returncode == code
    tasks = tasks_of(home)
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
def test_a_doubt_whose_tries_are_used_up_stays_one(home: Home, sink: FormServer) -> None:
    refusals = iter([says(500), says(408)])
    sink.rule = lambda _number, name: next(refusals) if name == "1.JPG" else None
    home.form(sink)
    home.named("0", "1")
    assert push(home, "--retries", 1).returncode == 3
    task = tasks_of(home)["1"]
    assert (task["state"], task["attempts"]) == ("in_doubt", 2)
    assert "2 tries" in task["error"]


# Not taken: a try, and again.


def test_a_photo_that_is_not_taken_is_tried_again(home: Home, sink: FormServer) -> None:
    statuses = (402, 408, 418, 425, 501, 505)
    sink.rule = by_name({str(status): Once(says(status)) for status in statuses})
    home.form(sink, 'resend = "never"')
    home.named("0", *map(str, statuses))
    assert push(home, "--jobs", 7).returncode == 0
    tasks = tasks_of(home)
    assert {task["state"] for task in tasks.values()} == {"uploaded"}
    assert {name: task["attempts"] for name, task in tasks.items()} == {
        "0": 1,
        **{str(s): 2 for s in statuses},
    }
    assert not any(task["maybe_twice"] for task in tasks.values())


def test_a_photo_that_is_never_taken_fails_after_its_tries(home: Home, sink: FormServer) -> None:
    sink.rule = by_name({"1": says(408)})
    home.form(sink)
    home.named("0", "1", "2")
    assert push(home, "--retries", 1).returncode == 3
    assert states_of(home) == {"0": "uploaded", "1": "failed", "2": "uploaded"}
    task = tasks_of(home)["1"]
    assert task["attempts"] == 2
    assert "408" in task["error"]
    assert "2 tries" in task["error"]


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_before_the_end_proves_that_it_was_not_taken(
    home: Home, sink: FormServer, status: int
) -> None:
    sink.rule = by_name({"1": Once([read(16_384), answer(status), stall])})
    home.form(sink, 'resend = "never"')
    home.named("1", size=BIG)
    assert push(home).returncode == 0
    task = tasks_of(home)["1"]
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
    home: Home, sink: FormServer, status: int
) -> None:
    Outage(sink, status, 2)
    home.form(sink)
    home.named("0", "1", "2")
    assert push(home, "--retries", 0, "--jobs", 1).returncode == 0
    assert set(states_of(home).values()) == {"uploaded"}
    assert set(look(home, "tries").values()) == {1}
    assert sum(look(home, "attempts").values()) == 4


def test_a_proxy_that_answers_502_costs_no_photo_a_try(home: Home, sink: FormServer) -> None:
    Outage(sink, 502, 3)
    home.form(sink)
    home.named(*map(str, range(12)))
    assert push(home, "--retries", 1).returncode == 0
    assert set(states_of(home).values()) == {"uploaded"}
    # Of those in flight at the end, one may be heard only after the server has taken the next.
    assert sum(look(home, "tries").values()) <= 12 + 1
    assert len(sink.requests) <= 12 + 4, "what was in flight is sent twice, and nothing else"


@pytest.mark.long
def test_a_pause_outlives_the_run(home: Home, sink: FormServer) -> None:
    outage = Outage(sink, 502, 10**6)
    home.form(sink)
    home.named(*map(str, range(6)))
    assert push(home, "--patience", "1s").returncode == 75
    sent = len(sink.requests)
    assert home.run("retry-failed").returncode == 75
    assert len(sink.requests) == sent, "it begins with a question, and that is not answered"
    home.sql("update target set sick_since = sick_since - 7200")
    assert "club has not worked for 2 h: 502" in home.run("status").stderr
    outage.questions = 0
    assert home.run("retry-failed").returncode == 0
    assert set(look(home, "tries").values()) == {1}


@pytest.mark.long
def test_a_photo_whose_last_try_fails_waits_for_the_next_outcome(
    home: Home, sink: FormServer
) -> None:
    """Two in a row without a try of their own say that it is the target: the last try of the first
    was not its own."""
    wrong = iter(["1", "2"])
    sink.rule = lambda number, _name: says(500) if number > 1 and next(wrong, None) else None
    home.form(sink)
    home.named("0", "1", "2", "3")
    assert push(home, "--retries", 0, "--jobs", 1).returncode == 0
    assert set(look(home, "tries").values()) == {1}


@pytest.mark.long
def test_never_twice_spends_three_photos_on_a_pause(home: Home, sink: FormServer) -> None:
    down = [True]
    sink.rule = lambda number, _name: says(500) if number > 1 and down[0] else None
    home.form(sink, 'resend = "never"')
    home.named(*map(str, range(9)))
    done = push(home, "--jobs", 1, "--patience", "5m")
    assert done.returncode == 75
    assert "The others wait for: albumup resume" in done.stderr
    states = Counter(states_of(home).values())
    assert states == {"uploaded": 1, "in_doubt": 5, "pending": 3}, (
        "two that showed it, three that looked"
    )
    down[0] = False
    assert home.run("retry-failed").returncode == 75, "cron spends no more"
    assert home.run("retry-failed", "--patience", "2s").returncode == 75, "however long it may wait"
    assert Counter(states_of(home).values()) == states
    assert home.run("resume").returncode == 3
    assert Counter(states_of(home).values()) == {"uploaded": 4, "in_doubt": 5}


@pytest.mark.long
def test_a_photo_that_a_kill_cut_off_in_a_pause_is_spent_too(home: Home, sink: FormServer) -> None:
    Outage(sink, 502, 10**6)
    home.form(sink, 'resend = "never"')
    home.named(*map(str, range(12)))
    assert push(home, "--patience", "1s").returncode == 75
    ((before,),) = home.sql("select spent from target")
    ((waiting,),) = home.sql("select max(id) from task where state = 'pending'")
    # What a kill leaves behind, after the whole photo was sent.
    home.sql(f"update task set state = 'sending' where id = {waiting}")
    home.sql(
        "insert into attempt (task_id, run_id, boundary, number, started, whole_at)"
        f" values ({waiting}, 1, 'b', 1, unixepoch(), unixepoch())"
    )
    assert home.run("retry-failed").returncode == 75
    assert home.sql("select spent from target") == [(before + 1,)]


# A target that never accepted a photo.


def test_three_photos_refused_alike_end_a_target_that_never_accepted_one(
    home: Home, sink: FormServer
) -> None:
    sink.rule = lambda _number, name: [
        photo,
        answer(400, {"error": f"no field called upload for {name}"}),
    ]
    home.form(sink)
    home.named(*map(str, range(6)))
    done = push(home)
    assert done.returncode == 4
    assert len(sink.requests) == 3
    assert set(states_of(home).values()) == {"pending"}
    assert all(key in done.stderr for key in ("targets.club.url", "targets.club.file_field", "400"))
    assert sum("400" in (task["error"] or "") for task in tasks_of(home).values()) == 3


def test_three_photos_answered_by_the_same_no_in_a_2xx_end_it_too(
    home: Home, sink: FormServer
) -> None:
    sink.rule = lambda _number, _name: [
        photo,
        answer(200, {"success": False, "error": "no file was sent"}),
    ]
    home.form(sink)
    home.named(*map(str, range(6)))
    done = push(home, "--jobs", 1)
    assert done.returncode == 4
    assert sorted(look(home, "attempts").values()) == [0, 0, 0, 1, 1, 1]
    assert set(states_of(home).values()) == {"pending"}
    assert all(
        words in done.stderr
        for words in ("no file was sent", "targets.club.file_field", "targets.club.success")
    )


def test_a_photo_of_another_type_is_tried_before_a_target_is_given_up(
    home: Home, sink: FormServer
) -> None:
    sink.rule = lambda _number, name: says(415) if name.endswith(".JPG") else None
    home.form(sink)
    place = home.named(*map(str, range(6)))
    (place / "z.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99))
    assert push(home).returncode == 3
    assert states_of(home) == {**dict.fromkeys(map(str, range(6)), "rejected"), "z.png": "uploaded"}
    assert sink.requests[3] == "z.png"


def test_two_types_that_are_refused_alike_are_enough(home: Home, sink: FormServer) -> None:
    sink.rule = lambda _number, _name: says(400)
    home.form(sink)
    place = home.named(*map(str, range(6)))
    for number in range(6):
        (place / f"z{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99 + number))
    assert push(home).returncode == 4
    assert sink.requests[3].endswith(".png")
    assert len(sink.requests) == 4


def test_a_page_that_no_rule_knows_is_not_what_a_target_that_never_accepted_one_means(
    home: Home, sink: FormServer
) -> None:
    """Where pages are the rule, too: a wrong password is told by one."""
    sink.rule = lambda _number, _name: [photo, page(200)]
    home.form(sink, 'success_text = "Danke"\nresend = "never"')
    home.named(*"123")
    done = push(home)
    assert done.returncode == 4
    assert "success_text" in done.stderr
    assert len(sink.requests) == 1
    assert sorted(states_of(home).values()) == ["in_doubt", "pending", "pending"]


def test_the_first_photo_accepted_makes_those_refused_before_rejected(
    home: Home, sink: FormServer
) -> None:
    sink.rule = by_name({"0": says(413), "1": says(413)})
    home.form(sink)
    home.named("0", "1", "2")
    assert push(home).returncode == 3
    assert states_of(home) == {"0": "rejected", "1": "rejected", "2": "uploaded"}


@pytest.mark.long
@pytest.mark.parametrize("script", [says(429), says(503)], ids=["429", "503"])
def test_a_sick_target_is_given_up_when_patience_ends(
    home: Home, sink: FormServer, script: Script
) -> None:
    sink.rule = by_name({"1": script, "2": script})
    home.form(sink)
    home.named("0", "1", "2")
    assert push(home, "--patience", "0s", "--jobs", 1).returncode == 75
    assert states_of(home) == {"0": "uploaded", "1": "pending", "2": "pending"}
    assert look(home, "tries") == {"0": 1, "1": 0, "2": 0}


def test_a_target_that_wants_more_time_than_there_is_is_given_up_at_once(
    home: Home, sink: FormServer
) -> None:
    sink.rule = by_name({"1": says(503, [("Retry-After", "3600")])})
    home.form(sink)
    home.named("0", "1")
    assert push(home, "--patience", "10m").returncode == 75
    assert states_of(home) == {"0": "uploaded", "1": "pending"}


def test_a_photo_that_alone_is_refused_for_ever_fails(home: Home, sink: FormServer) -> None:
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
        return [body, when_uploaded(home, other), answer(503)]

    sink.rule = rule
    home.form(sink)
    home.named("0", "1", "2", "3")
    assert push(home, "--retries", 1, "--jobs", 2).returncode == 3
    assert states_of(home) == {"0": "uploaded", "1": "failed", "2": "uploaded", "3": "uploaded"}
    assert look(home, "tries")["1"] == 2


@pytest.mark.process
def test_nobody_listens(home: Home, refused: str) -> None:
    home.form(refused)
    home.named("1", "2")
    done = push(home, "--patience", "0s")
    assert done.returncode == 75
    assert states_of(home) == {"1": "pending", "2": "pending"}
    assert look(home, "tries") == {"1": 0, "2": 0}
    assert "refused" in done.stderr


# The line broke in the middle.


@pytest.mark.long
@pytest.mark.parametrize(
    "fault", [reset, stall, lambda line: line.socket.close()], ids=["reset", "silence", "closed"]
)
def test_one_upload_that_breaks_costs_a_try(home: Home, sink: FormServer, fault: Step) -> None:
    sink.rule = by_name({"1": Once([read(16_384), fault])})
    home.form(sink, 'timeout = 0.5\nresend = "never"')
    home.named("0")
    home.named("1", size=BIG)
    assert push(home, "--jobs", 2).returncode == 0
    assert states_of(home) == {"0": "uploaded", "1": "uploaded"}
    assert look(home, "tries") == {"0": 1, "1": 2}
    assert copies(sink) == {"0": 1, "1": 1}


@pytest.mark.long
def test_one_of_two_that_breaks_costs_a_try(home: Home, sink: FormServer) -> None:
    both = threading.Barrier(2)
    sink.rule = by_name(
        {"1": Once([read(16_384), meet(both), reset]), "2": Once([meet(both), *TAKEN])}
    )
    home.form(sink)
    home.named("0")
    home.named("1", "2", size=BIG)
    assert push(home, "--jobs", 2).returncode == 0
    assert look(home, "tries") == {"0": 1, "1": 2, "2": 1}


def test_a_line_that_breaks_under_all_of_them_costs_nothing(home: Home, sink: FormServer) -> None:
    both = threading.Barrier(2)
    fall: Script = [read(16_384), meet(both), reset]
    sink.rule = by_name({"1": Once(fall), "2": Once(fall)})
    home.form(sink)
    home.named("0")
    home.named("1", "2", size=BIG)
    assert push(home, "--jobs", 2, "--retries", 0).returncode == 0
    assert set(states_of(home).values()) == {"uploaded"}
    assert look(home, "tries") == {"0": 1, "1": 1, "2": 1}
    assert look(home, "attempts") == {"0": 1, "1": 2, "2": 2}


@pytest.mark.long
def test_a_server_that_is_gone_after_the_break_is_sick(home: Home, sink: FormServer) -> None:
    sink.rule = by_name({"1": [read(16_384), lambda line: line.server.refuse(), reset]})
    home.form(sink)
    home.named("0")
    home.named("1", size=BIG)
    assert push(home, "--patience", "0s", "--retries", 0).returncode == 75
    assert states_of(home) == {"0": "uploaded", "1": "pending"}
    assert look(home, "tries") == {"0": 1, "1": 0}


# The target refuses us.


@pytest.mark.parametrize("status", [401, 403, 507])
def test_a_target_that_refuses_us_keeps_its_photos_pending(
    home: Home, sink: FormServer, status: int
) -> None:
    sink.rule = lambda number, _name: says(status) if number > 1 else None
    home.form(sink)
    home.named("0", "1", "2")
    done = push(home, "--jobs", 1)
    assert done.returncode == 4
    assert str(status) in done.stderr
    assert states_of(home) == {"0": "uploaded", "1": "pending", "2": "pending"}
    assert look(home, "tries") == {"0": 1, "1": 0, "2": 0}
    assert len(sink.requests) == 2


def test_a_photo_that_alone_is_forbidden_is_no_refusal_of_us(home: Home, sink: FormServer) -> None:
    sink.rule = by_name({"1": Once([body, when_uploaded(home, "2"), answer(403)])})
    home.form(sink)
    home.named("0", "1", "2")
    assert push(home, "--jobs", 2).returncode == 0
    assert look(home, "tries") == {"0": 1, "1": 2, "2": 1}


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
    home: Home, sink: FormServer, script: Script
) -> None:
    sink.rule = lambda _number, _name: script
    home.form(sink)
    home.named("1", "2", "3")
    done = push(home)
    assert done.returncode == 4
    assert "targets.club.url" in done.stderr
    assert set(states_of(home).values()) == {"pending"}
    assert set(look(home, "tries").values()) == {0}
    assert len(sink.requests) == 1


@pytest.mark.process
@pytest.mark.parametrize(
    ("resend", "attempts", "maybe_twice", "code"), [("never", 1, False, 3), ("allowed", 2, True, 0)]
)
def test_a_page_that_was_a_yes_is_in_doubt_when_the_config_is_mended(
    home: Home, sink: FormServer, resend: str, attempts: int, maybe_twice: bool, code: int
) -> None:
    sink.rule = lambda _number, _name: [photo, page(201)]
    home.form(sink, f'resend = "{resend}"')
    home.named("1", "2")
    done = push(home)
    assert done.returncode == 4
    assert "targets.club.url; if that is how it says yes: success_text and success" in done.stderr
    home.form(sink, f'resend = "{resend}"\nsuccess_text = "Wi-Fi"')
    assert home.run("resume").returncode == code
    assert copies(sink) == {"1": attempts, "2": 1}
    task = tasks_of(home)["1"]
    assert (task["state"], task["maybe_twice"]) == (
        "in_doubt" if resend == "never" else "uploaded",
        maybe_twice,
    )


@pytest.mark.long
@pytest.mark.parametrize("script", WRONG_ADDRESS.values(), ids=WRONG_ADDRESS)
def test_a_target_that_was_right_before_is_only_sick(
    home: Home, sink: FormServer, script: Script
) -> None:
    sink.rule = lambda number, _name: script if number > 1 else None
    home.form(sink)
    home.named("0", "1", "2")
    assert push(home, "--patience", "0s", "--jobs", 1).returncode == 75
    assert states_of(home) == {"0": "uploaded", "1": "pending", "2": "pending"}
    assert look(home, "tries") == {"0": 1, "1": 0, "2": 0}


@pytest.mark.long
def test_a_portal_that_goes_away_costs_nothing(home: Home, sink: FormServer) -> None:
    sink.rule = lambda number, _name: [body, page()] if number == 2 else None
    home.form(sink)
    home.named("0", "1")
    assert push(home, "--retries", 0).returncode == 0
    assert look(home, "tries") == {"0": 1, "1": 1}


def test_an_unknown_host_is_a_matter_of_the_config(home: Home, tmp_path: Path) -> None:
    resolver = tmp_path / "site"
    resolver.mkdir()
    (resolver / "sitecustomize.py").write_text(
        "import socket\n"
        "def nobody(*_, **__):\n"
        "    raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')\n"
        "socket.getaddrinfo = nobody\n"
    )
    home.env["PYTHONPATH"] = f"{resolver}:{home.env.get('PYTHONPATH', '')}"
    home.form("http://photos.invalid")
    home.named("1", "2")
    done = push(home)
    assert done.returncode == 4
    assert "targets.club.url" in done.stderr
    assert "photos.invalid" in done.stderr
    assert states_of(home) == {"1": "pending", "2": "pending"}
    assert look(home, "tries") == {"1": 0, "2": 0}


def test_a_certificate_that_does_not_verify_is_a_matter_of_the_config(
    home: Home, tls: ssl.SSLContext, ca_file: Path
) -> None:
    home.ca_file = None
    with FormServer(tls=tls) as sink:
        home.form(sink)
        home.named("1")
        done = push(home)
        assert done.returncode == 4
        assert "targets.club" in done.stderr
        assert "certificate" in done.stderr
        assert look(home, "tries") == {"1": 0}
        home.form(sink, f'ca_file = "{ca_file}"')
        assert home.run("resume").returncode == 0
        assert copies(sink) == {"1": 1}


# One target and another, one photo and the others.


@pytest.mark.long
def test_until_the_first_is_accepted_one_goes_at_a_time(home: Home, sink: FormServer) -> None:
    second = threading.Event()

    def rule(number: int, _name: str) -> Script | None:
        if number == 1:
            # A second request would come within this time, and be seen.
            return [body, lambda _line: second.wait(0.5), answer(500)]
        second.set()
        return says(500) if number < 4 else None

    sink.rule = rule
    home.form(sink)
    home.named(*"123456")
    assert push(home, "--retries", 0, "--jobs", 4).returncode == 0
    assert sink.most_before_first == 1
    assert set(states_of(home).values()) == {"uploaded"}, (
        "three in a row: it was not the photos' fault"
    )


@pytest.mark.long
@pytest.mark.parametrize(("fault", "code"), [("refused", 75), ("401", 4), ("503", 75), ("404", 4)])
def test_a_target_that_is_down_stops_no_other(
    home: Home, sink: FormServer, refused: str, fault: str, code: int
) -> None:
    with FormServer() as other:
        home.form(other if fault != "refused" else refused, name="down")
        home.form(sink, also=True)
        other.rule = sink.rule = lambda _number, _name: [body, answer(503)]
        for folder, target in (("one", "down"), ("two", "club")):
            home.named("1", "2", folder=folder)
            assert push(home, "--patience", "0s", folder=folder, target=target).returncode == 75
        sink.rule = lambda _number, _name: None
        other.rule = lambda _number, _name: says(int(fault))
        assert home.run("resume", "--patience", "0s").returncode == code
        assert copies(sink) == {"1": 1, "2": 1}
        found = home.sql("select target, state, count(*) from v_tasks group by 1, 2")
        assert sorted(found) == [("club", "uploaded", 2), ("down", "pending", 2)]
