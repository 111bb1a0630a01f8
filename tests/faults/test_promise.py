"""The promise as a property: whatever happens in whatever order, nothing is lost and nothing
falsely called done.

Hypothesis drives the real journal, scan, bodies, outcomes and records through outcome x fault x
crash x source change x clock jump, against a model of a server that knows what it holds. Only
threads and sockets are not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from albumup.config.settings import FormSettings
from albumup.journal import framing, pauses, runs
from albumup.journal.admin import cancel
from albumup.journal.journal import Journal
from albumup.journal.rows import Task
from albumup.journal.states import DONE, WANTING, State
from albumup.journal.store import LostTask
from albumup.journal.summary import summary_of
from albumup.photos.metadata.reader import MetadataReader
from albumup.photos.scan import Filters, open_root
from albumup.photos.source import Place, Source, SourceChanged, SourceGone
from albumup.retry import (
    LONGEST_ASKED_WAIT,
    LONGEST_WAIT,
    Circumstances,
    Outcome,
    Rules,
    outcome_of,
)
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.targets.base import Original, Seen, Verdict, VerdictKind
from albumup.targets.bodies import body_of, photo_of, read
from albumup.targets.form import FormTarget
from albumup.targets.sent_names import sent_name
from albumup.transfer import Answer, Fault, Sent
from albumup.uploader.answers import Answers
from albumup.uploader.breaker import Breaker
from albumup.uploader.causes import Causes
from albumup.uploader.judge import Judge
from albumup.uploader.options import Options
from albumup.uploader.outcomes import End, Outcomes
from albumup.uploader.queue import Queue
from albumup.uploader.upstream import Upstream
from albumup.uploader.world import World

RETRIES = 2
PHOTOS = 3

# What the server does with a whole body: does it keep it, and what does it say? None: nothing
# arrives.
BEHAVIOURS: dict[str, tuple[bool, tuple[int, bytes] | None]] = {
    "takes it": (True, (201, b'{"id": "1"}')),
    "takes it and the answer is lost": (True, None),
    "loses it and the answer": (False, None),
    "fails after keeping it": (True, (500, b"{}")),
    "fails": (False, (502, b"{}")),
    "is busy": (False, (503, b"{}")),
    "wants it again": (False, (408, b"{}")),
    "rejects it": (False, (413, b"{}")),
    "has it already": (True, (409, b"{}")),
    "shows a portal's page": (False, (200, b"<!doctype html>")),
    "says yes without an id": (False, (200, b"{}")),
    "refuses us": (False, (401, b"{}")),
}
CRASHES = (
    "", "", "", "", "", "before the start", "after the start", "whole", "stored",
    "before the record",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What shall happen. ``line``: what becomes of the connection; ``meddle``: when the source
    changes."""

    behaviour: str
    line: str
    crash: str
    meddle: str
    others: bool = False
    proven: bool = True
    knows: bool = True
    """A digest went before the photo."""


PLANS = st.builds(
    Plan,
    behaviour=st.sampled_from(sorted(BEHAVIOURS)),
    line=st.sampled_from(["", "", "", "breaks", "breaks for all", "early answer"]),
    crash=st.sampled_from(CRASHES),
    meddle=st.sampled_from(
        ["", "", "", "", "before", "in the middle", "at the end", "after", "gone"]
    ),
    others=st.booleans(),
    proven=st.booleans(),
    knows=st.booleans(),
)


class Promise(RuleBasedStateMachine):
    @initialize(rule_set=st.sampled_from(["safe", "allowed", "never", "asked"]))
    def begin(self, rule_set: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="albumup-promise-")
        self.trip = os.path.join(self.folder, "trip")
        os.mkdir(self.trip)
        self.now = 1_800_000_000.0
        self.made = 0
        self.held: Counter[str] = Counter()
        """What the server holds: copies by SHA-256."""
        self.doubts: Counter[str] = Counter()
        self.transient = 0
        can_ask = rule_set == "asked"
        self.rules = Rules(RETRIES, can_ask, "allowed" if can_ask else rule_set, settle=30.0)
        url = "https://club.example.org/photos"
        form = FormSettings(url=url, duplicate=(409,), id="id", resend=cast(Any, self.rules.resend))
        self.target = FormTarget("club", form, None, "test")
        self.open()
        for number in range(PHOTOS):
            self.write(number)
        self.push()

    def open(self) -> None:
        self.journal = Journal(os.path.join(self.folder, "journal.db"), clock=lambda: self.now)
        world = World(cast(Any, None), cast(Any, None), chance=lambda: 0.5)
        self.queue = Queue(cast(Any, None), 1, world, time.monotonic)
        self.upstream = Upstream(
            self.target, self.rules, Breaker(1e12, RETRIES, proven=True, jobs=1)
        )
        self.queue.upstreams["club"] = self.upstream
        causes = Causes(self.queue, Options(), lambda _: None)
        self.judge = Judge(self.queue, cast(Any, None), world, time.monotonic, causes)
        self.outcomes = Outcomes(self.queue, self.judge, causes, lambda _: None, time.time)
        with self.journal.transaction():
            for task_id, _ in pauses.held(self.journal):
                self.outcomes.unhold(self.journal, task_id, self.rules)
            for cut in self.journal.cut_off():
                self.outcomes.cut_off(self.journal, cut, self.rules)
            self.outcomes.run_id = runs.begin(self.journal, os.getpid(), {}, [])

    def crash(self) -> None:
        """The process is gone: nothing that was not committed is left of it."""
        self.journal.close()
        self.open()

    def path(self, number: int) -> str:
        return os.path.join(self.trip, f"IMG_{number}.JPG")

    def write(self, number: int, *, keep_time: bool = False) -> None:
        """Bytes that no photo has had before, of the same length."""
        self.made += 1
        path = self.path(number)
        before = os.stat(path) if keep_time and os.path.exists(path) else None
        with open(path, "r+b" if before else "wb") as file:
            file.write(b"\xff\xd8\xff\xe0" + b"%08d" % self.made)
        if before:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    # What the user and the world do.

    @rule()
    def push(self) -> None:
        if not os.listdir(self.trip):
            return
        intake = Intake(
            [open_root(self.trip)],
            Filters(),
            "trip",
            Destination("club", None),
            on_skip=lambda _: None,
        )
        self.album = intake.take_in(self.journal, None, None)

    @rule(number=st.integers(0, PHOTOS - 1), keep_time=st.booleans())
    def change(self, number: int, keep_time: bool) -> None:
        self.write(number, keep_time=keep_time)

    @rule(number=st.integers(0, PHOTOS - 1))
    def lose(self, number: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(number))

    @rule(seconds=st.sampled_from([1, 60, 3600, 10**7, -60, -(10**7)]))
    def jump(self, seconds: int) -> None:
        self.now += seconds

    @rule(state=st.sampled_from(sorted(WANTING)))
    def retry_failed(self, state: State) -> None:
        with self.journal.transaction():
            for row in self.journal.rows(
                "select id from task where state = ? and ask_at is null", state
            ):
                self.journal.fresh_set(
                    row["id"], rounds=1, is_safe=self.rules.can_ask or self.rules.resend == "safe"
                )

    @rule(number=st.integers(0, PHOTOS - 1))
    def cancel_one(self, number: int) -> None:
        with self.journal.transaction(), contextlib.suppress(Exception):
            cancel(self.journal, self.album, [os.fsencode(self.path(number))])

    @rule()
    def crash_while_idle(self) -> None:
        self.crash()

    # What the uploader does.

    @rule(crash=st.booleans())
    def prepare(self, crash: bool = False) -> None:
        for root in runs.roots_of(self.journal, self.album):
            stale = framing.stale(self.journal, self.album, root.id, 10)
            for task in (*self.journal.unprepared(self.album, root.id, 10), *stale):
                try:
                    reading = read(task, self.target, MetadataReader(), None, lambda _: None)
                except SourceGone as gone:
                    with self.journal.transaction():
                        self.journal.settle_task(task.id, State.MISSING, str(gone))
                    continue
                name = os.fsdecode(os.path.basename(task.path))
                with contextlib.suppress(_Killed), self.journal.transaction():
                    sent_as = self.journal.name_photo(
                        task.id, task.album_id, lambda n, name=name: sent_name(name, n)  # type: ignore[misc]
                    )  # fmt: skip
                    self.journal.prepared(
                        task.id, body_of(task, reading, self.target, sent_as), sent_as
                    )
                    if crash:
                        raise _Killed
                if crash:
                    self.crash()
                    return

    def next_task(self) -> Task | None:
        self.prepare()
        roots = [root.id for root in runs.roots_of(self.journal, self.album)]
        with self.journal.transaction():
            places = [(self.album, root) for root in roots]
            self.journal.bring_forward(places, self.now + LONGEST_ASKED_WAIT, self.now)
        for untried in (True, False):
            for root in roots:
                for task in self.journal.ready(self.album, root, self.now, PHOTOS * 10, untried):
                    if task.id not in self.upstream.held and task.id not in self.upstream.refusals:
                        return task
        return None

    @rule(attempts=st.lists(PLANS, min_size=1, max_size=6))
    def run(self, attempts: list[Plan]) -> None:
        """An uploader works for a while."""
        for plan in attempts:
            self.now += LONGEST_WAIT
            self.attempt(plan)
        with self.journal.transaction():
            for upstream, held in self.judge.last_held():
                self.outcomes.own(self.journal, upstream, held)

    def attempt(self, plan: Plan) -> None:
        """One attempt, as a worker goes about it."""
        if (task := self.next_task()) is None:
            return
        assert task.body is not None
        path = os.fsdecode(task.path)
        number = int(path[len(self.trip) + 5 : -4])
        if plan.meddle == "before":
            self.write(number, keep_time=True)
        try:
            source = Source(task.path, task.body, Place(task.volume))
            source.verify(trusts_pins=True)
        except SourceChanged:
            with self.journal.transaction():
                self.journal.prepare_again(task.id)
            return
        except SourceGone as gone:
            with self.journal.transaction():
                self.journal.settle_task(task.id, State.MISSING, str(gone))
            return
        with contextlib.closing(source):
            self.try_once(task, source, number, plan)

    def try_once(self, task: Task, source: Source, number: int, plan: Plan) -> None:
        behaviour, line, crash, meddle = plan.behaviour, plan.line, plan.crash, plan.meddle
        assert task.body is not None
        journal, size = self.journal, task.body.pins.size
        with contextlib.suppress(_Killed), journal.transaction():
            # A small body begins with the word that its end is about to leave; the line may then
            # not take it.
            at_once = (
                line in ("breaks", "breaks for all", "early answer") and not crash and not meddle
            )
            attempt = journal.start(
                task.id, self.outcomes.run_id, task.body.boundary, whole=at_once
            )
            if crash == "before the start":
                raise _Killed
        if crash in ("before the start", "after the start"):
            self.crash()
            return
        received = os.pread(source.descriptor, size // 2, 0)
        if meddle == "in the middle":
            self.write(number, keep_time=True)
        if meddle == "gone":
            self.lose(number)
        received += os.pread(source.descriptor, size, size // 2)
        if meddle == "at the end":
            self.write(number, keep_time=True)
        if line in ("breaks", "breaks for all"):
            sent = Sent(None, Fault.BROKEN, "connection reset", whole=False, bytes=len(received))
        elif line == "early answer":
            status, body = BEHAVIOURS[behaviour][1] or (500, b"{}")
            if (
                status == 409 and plan.knows
            ):  # then it is proof also when it comes early, so it has to be true
                known = hashlib.sha256(received).hexdigest()
                self.held[known] = max(self.held[known], 1)
            sent = Sent(_answer(status, body), None, "", whole=False, bytes=0, early=True)
        else:
            try:
                source.check()
            except SourceChanged as changed:
                self.source_changed(task, attempt, str(changed))
                return
            with journal.transaction():
                journal.whole(attempt)
            keeps, says = BEHAVIOURS[behaviour]
            if crash != "whole" and keeps:
                digest = hashlib.sha256(received).hexdigest()
                if not (self.held[digest] and self.rules.resend == "safe") and not (
                    says and says[0] == 409
                ):
                    self.held[digest] += 1
                self.held[digest] = max(self.held[digest], 1)
            if crash in ("whole", "stored"):
                self.doubts[task.body.digests["sha256"]] += 1
                self.crash()
                return
            answer = _answer(*says) if says else None
            fault = None if says else Fault.LOST
            sent = Sent(
                answer, fault, "" if says else "connection reset", whole=True, bytes=len(received)
            )
        if meddle == "after":
            self.write(number, keep_time=True)
        try:
            source.check()
        except SourceChanged as changed:
            self.source_changed(task, attempt, str(changed))
            return
        verdict = None
        if sent.answer is not None:
            photo = photo_of(task, source.pins, task.body.digests, None, self.target)
            verdict = self.target.read_answer(sent.answer, photo)
        around = Circumstances(
            plan.proven, plan.others, self.rules.can_ask, digest_first=plan.knows
        )
        finding = outcome_of(sent, verdict, around, self.now)
        self.upstream.breaker.proven = plan.proven
        end = End(
            finding, sent, 0.0, 0.5, is_refunded=line == "breaks for all" or finding.is_refunded
        )
        after = None
        if finding.outcome in (Outcome.UPLOADED, Outcome.DUPLICATE):
            after = self.judge.accepted(self.upstream, time.monotonic())
        elif finding.outcome is Outcome.REJECTED:
            after = self.judge.refused(self.upstream, task, finding)
            end = replace(end, is_held=after is None)
        with contextlib.suppress(_Killed), journal.transaction():
            self.outcomes.ended(journal, task, attempt, self.upstream, end)
            if after is not None:
                self.outcomes.aftermath(journal, self.upstream, after)
            if not sent.whole:
                rows = journal.rows("select whole_at from attempt where id = ?", attempt)
                assert rows[0]["whole_at"] is None, "its last byte never left"
            if crash == "before the record":
                raise _Killed
        if finding.outcome is Outcome.IN_DOUBT or (crash == "before the record" and sent.whole):
            self.doubts[task.body.digests["sha256"]] += 1
        if crash == "before the record":
            self.crash()

    def source_changed(self, task: Task, attempt: int, words: str) -> None:
        with self.journal.transaction():
            self.journal.end_attempt(attempt, Outcome.REFUNDED, error=words)
            self.journal.move(task.id, State.PENDING, words)
            self.journal.prepare_again(task.id)

    @rule(crash=st.booleans())
    def ask(self, crash: bool = False) -> None:
        """Ask about every doubt whose time has come. The model's server knows at once what it
        holds."""
        with self.journal.transaction():
            self.journal.ask_no_later(self.album, self.now + self.rules.settle)
        for task in self.journal.doubts_due(self.album, self.now, 10):
            assert task.body is not None
            has = self.held[task.body.digests["sha256"]] > 0
            verdict = Verdict(VerdictKind.STORED, "ask") if has else None
            with contextlib.suppress(_Killed, LostTask), self.journal.transaction():
                seen = Seen(Original.READABLE) if has else None
                Answers(self.outcomes).answered(
                    self.journal, task, self.rules, verdict, seen, "club", chance=0.5
                )
                if crash:
                    raise _Killed
            if crash:
                self.crash()
                return

    # What always holds.

    def tasks(self) -> list[Any]:
        return self.journal.rows(
            "select task.*, body.sha256, photo.path from task "
            "join photo on photo.id = task.photo_id"
            " left join body on body.task_id = task.id"
        )

    @invariant()
    def nothing_is_called_done_that_the_server_has_not(self) -> None:
        for task in self.tasks() if hasattr(self, "journal") else ():
            if task["state"] in DONE:
                assert self.held[task["sha256"]], dict(task)

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "album"):
            return
        tasks = self.tasks()
        assert {os.fsdecode(task["path"]) for task in tasks} >= {
            self.path(number) for number in range(PHOTOS)
        }
        for task in tasks:
            assert task["state"] in {*DONE, State.PENDING, State.CANCELLED} or task["reason"], dict(
                task
            )
            assert task["tries"] <= RETRIES + 1
            assert (
                task["state"] != State.SENDING
            )  # between the steps of this model nobody is sending
        counts = Counter(task["state"] for task in tasks)
        assert {
            state: count
            for state, count in summary_of(self.journal, self.album).photos.items()
            if count
        } == counts

    @invariant()
    def what_is_there_twice_is_explained(self) -> None:
        for task in self.tasks() if hasattr(self, "journal") else ():
            digest = task["sha256"]
            if digest is None or self.held[digest] < 2:
                continue
            assert self.held[digest] <= 1 + self.doubts[digest], dict(task)
            assert self.rules.resend == "allowed" and not self.rules.can_ask, dict(task)
            assert task["maybe_twice"], dict(task)

    def teardown(self) -> None:
        """The world turns kind: everything that is not cancelled gets there, as it is now."""
        if not hasattr(self, "journal"):
            return
        for number in range(PHOTOS):
            if not os.path.exists(self.path(number)):
                self.write(number)
            os.utime(self.path(number))  # a push opens only what has another time
        self.push()
        self.crash()  # a new run: what a target that never accepted a photo refused goes again
        for _ in range(30):
            self.now += LONGEST_ASKED_WAIT
            for state in sorted(WANTING):
                self.retry_failed(state)
            self.ask()
            self.attempt(Plan("takes it", "", "", ""))
        for task in self.tasks():
            assert task["state"] in {*DONE, State.CANCELLED}, dict(task)
        there = {
            os.fsdecode(task["path"]) for task in self.tasks() if task["state"] == State.CANCELLED
        }
        for number in range(PHOTOS):
            with open(self.path(number), "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            assert self.held[digest] or self.path(number) in there, self.path(number)
        self.nothing_is_called_done_that_the_server_has_not()
        self.journal.close()
        shutil.rmtree(self.folder)


class _Killed(Exception):
    """The process dies within a transaction."""


def _answer(status: int, body: bytes) -> Answer:
    kind = "text/html" if body.startswith(b"<") else "application/json"
    return Answer(status, "Words", {"content-type": kind}, body, complete=True)


Promise.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestPromise = Promise.TestCase


@pytest.mark.long
class TestPromiseAtLength(Promise.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(max_examples=120, stateful_step_count=20, deadline=None)
