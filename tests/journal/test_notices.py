"""The outbox: notices that are owed, claimed, handed over and said, and crashes in between."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from clock import StillClock
from test_staging import arrival, push

from albumup.config.file import Config, Defaults
from albumup.config.unattended import Unattended
from albumup.errors import LocalError
from albumup.journal import notices
from albumup.journal.journal import Journal
from albumup.journal.notices import CLAIM_SECONDS, KEPT_SECONDS, Cause, Message, Notice
from albumup.session import notifying
from albumup.session.channels import Handed
from albumup.session.notifying import Fault, Notifying, in_own_transaction
from albumup.uploader.causes import note_told
from albumup.uploader.options import RunEnd

OURS, THEIRS = 11, 12


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def journal(tmp_path: Path, clock: StillClock) -> Iterable[Journal]:
    journal = Journal(str(tmp_path / "journal.db"), clock=clock)
    yield journal
    journal.close()


def owe(
    journal: Journal, cause: Cause = Cause.SETTLED, *, exit: int = 0, target: str = "nas"
) -> str:
    """Owe a notice; its key."""
    with journal.transaction():
        number = notices.owe(journal, cause, Message(exit=exit, words="so it is"), target=target)
    return str(journal.rows("select key from notice where id = ?", number)[0]["key"])


def claim(journal: Journal, pid: int, *alive: int) -> list[str]:
    with journal.transaction():
        return [one.key for one in notices.claim(journal, pid, lambda pid: pid in alive)]


def unsaid(journal: Journal, *alive: int, is_running: bool = False) -> list[tuple[str, str]]:
    """Key and fault of what a screen would tell."""
    found = notices.unsaid(
        journal.connection, journal.clock(), lambda pid: pid in alive, is_running=is_running
    )
    return [(one.key, one.fault) for one in found]


def number_of(journal: Journal, key: str) -> int:
    return int(journal.rows("select id from notice where key = ?", key)[0]["id"])


def test_a_claim_is_its_processs_until_that_dies_or_hangs(
    journal: Journal, clock: StillClock
) -> None:
    key = owe(journal)
    assert claim(journal, OURS, OURS) == [key]
    assert claim(journal, THEIRS, OURS, THEIRS) == []
    assert claim(journal, OURS, OURS, THEIRS) == [key], "its own claim is no hindrance"
    clock.now += CLAIM_SECONDS + 1
    assert claim(journal, THEIRS, OURS, THEIRS) == [key], "it hangs"
    assert claim(journal, OURS, OURS) == [key], "the other one has died"
    clock.now -= 2 * CLAIM_SECONDS
    assert claim(journal, THEIRS, OURS, THEIRS) == [key], "a clock that was set back"


def test_claims_that_wait_for_their_turn_do_not_grow_old(
    journal: Journal, clock: StillClock
) -> None:
    first, second = owe(journal), owe(journal)
    claim(journal, OURS)
    clock.now += CLAIM_SECONDS + 1
    with journal.transaction():
        notices.keep_claims(journal, OURS, [number_of(journal, second)])
    assert claim(journal, THEIRS, OURS) == [first]
    with journal.transaction():
        notices.release(journal, [number_of(journal, second)])
    assert claim(journal, THEIRS, OURS, THEIRS) == [first, second]


@pytest.mark.parametrize(
    ("is_taken", "fault", "is_said"),
    [(True, "", True), (False, "", False), (True, "it broke", False), (False, "it broke", False)],
)
def test_what_was_handed_over_is_not_handed_over_again(
    journal: Journal, is_taken: bool, fault: str, is_said: bool
) -> None:
    """It is still owed to a screen where a channel failed, or none wanted it."""
    key = owe(journal)
    claim(journal, OURS)
    assert unsaid(journal, OURS) == [], "somebody is at it"
    assert unsaid(journal) == [(key, "")], "who was at it is dead"
    with journal.transaction():
        notices.handed_over(journal, [number_of(journal, key)], is_taken=is_taken, fault=fault)
    assert claim(journal, THEIRS) == []
    assert not notices.is_owed(journal)
    assert unsaid(journal, OURS) == ([] if is_said else [(key, fault)])


def test_a_screen_leaves_to_a_running_uploader_what_that_will_hand_over(journal: Journal) -> None:
    new, failed = owe(journal), owe(journal)
    with journal.transaction():
        notices.handed_over(journal, [number_of(journal, failed)], fault="it broke")
    assert unsaid(journal, is_running=True) == [(failed, "it broke")]
    assert unsaid(journal) == [(new, ""), (failed, "it broke")]


def test_what_was_said_is_not_said_again_and_still_handed_over(journal: Journal) -> None:
    key = owe(journal)
    with journal.transaction():
        notices.said(journal.connection, 1.0, OURS, [number_of(journal, key)], [])
    assert unsaid(journal) == []
    assert claim(journal, OURS) == [key]


def say(journal: Journal, pid: int, keys: Iterable[str], *alive: int) -> list[str]:
    """Claim notices for a screen; the keys of the claimed ones."""
    ids = {number_of(journal, key): key for key in keys}
    now = journal.clock()
    free = notices.claim_to_say(
        journal.connection, now, pid, ids, lambda pid: pid in (OURS, *alive)
    )
    return [ids[one] for one in sorted(free)]


def test_what_one_screen_is_about_to_say_no_other_says(journal: Journal, clock: StillClock) -> None:
    first, second = owe(journal), owe(journal)
    assert say(journal, OURS, [first]) == [first]
    assert unsaid(journal, OURS) == [(second, "")]
    assert say(journal, THEIRS, [first, second], THEIRS) == [second]
    assert unsaid(journal, THEIRS) == [(first, "")], "whoever was about to say it is dead"
    clock.now += CLAIM_SECONDS + 1
    assert [key for key, _ in unsaid(journal, OURS, THEIRS)] == [first, second], "they hang"


def test_a_screen_gives_up_its_claims_and_nobody_elses(journal: Journal) -> None:
    told, untold, channels = (owe(journal) for _ in range(3))
    say(journal, OURS, [told, untold])
    assert claim(journal, THEIRS, OURS, THEIRS) == [channels]
    left = [number_of(journal, untold), number_of(journal, channels)]
    notices.said(journal.connection, 1.0, OURS, [number_of(journal, told)], left)
    assert unsaid(journal, OURS, THEIRS) == [(untold, "")]
    assert claim(journal, OURS, OURS, THEIRS) == [told, untold], "it is still handed over"


def test_closing_words_count_for_their_albums_alone(journal: Journal) -> None:
    trip, other = (push(journal, [arrival()], album) for album in ("trip", "other"))
    with journal.transaction():
        for album_id in (trip, other):
            notices.owe(journal, Cause.SETTLED, Message(), album_id=album_id, target="home")
        notices.owe(journal, Cause.STOPPED, Message(exit=4), album_id=trip, target="home")
        notices.said_of_albums(journal.connection, 1.0, [trip])
    rows = journal.rows("select cause, album_id from notice where delivered is null")
    assert [tuple(row) for row in rows] == [("settled", other), ("stopped", trip)]


def test_who_watched_another_process_does_not_answer_for_its_channels(journal: Journal) -> None:
    trip = push(journal, [arrival()])

    def owed() -> int:
        with journal.transaction():
            return notices.owe(journal, Cause.SETTLED, Message(), album_id=trip, target="home")

    def watched() -> None:
        with journal.transaction():
            notices.said_of_albums(journal.connection, 1.0, [trip], of_another=True)

    failed, at_work = owed(), owed()
    with journal.transaction():
        notices.handed_over(journal, [failed], fault="it broke")
    claim(journal, OURS)
    fresh = owed()
    watched()
    left = journal.rows("select id from notice where delivered is null order by id")
    assert [row[0] for row in left] == [failed, at_work]
    with journal.transaction():
        notices.handed_over(journal, [at_work], is_taken=True)
        notices.handed_over(journal, [fresh], fault="it broke")
    left = journal.rows("select id from notice where delivered is null order by id")
    assert [row[0] for row in left] == [failed, fresh], "the failure is news"


def test_a_failure_that_was_told_with_the_closing_words_is_no_news(journal: Journal) -> None:
    trip = push(journal, [arrival()])
    with journal.transaction():
        one = notices.owe(journal, Cause.SETTLED, Message(), album_id=trip, target="home")
        notices.said_of_albums(journal.connection, 1.0, [trip])
        notices.handed_over(journal, [one], fault="it broke", is_said=True)
    assert unsaid(journal) == []


def test_notices_that_are_done_with_are_kept_for_a_while(
    journal: Journal, clock: StillClock
) -> None:
    album_id = push(journal, [arrival()])
    for number in range(3):
        with journal.transaction():
            message = Message(counts={"uploaded": number})
            one = notices.owe(journal, Cause.SETTLED, message, album_id=album_id)
            notices.handed_over(journal, [one], is_taken=True)
    clock.now += KEPT_SECONDS
    last = owe(journal, Cause.WELL)
    assert len(journal.rows("select * from notice")) == 4
    clock.now += 1
    owe(journal, Cause.UNREACHABLE)
    kept = journal.rows("select id, key from notice order by id")
    assert [row["id"] for row in kept][:2] == [3, number_of(journal, last)]
    found = notices.last_settled(journal, album_id)
    assert found is not None
    assert found.counts == {"uploaded": 2}


def test_years_without_a_terminal_leave_no_heap_of_notices(
    journal: Journal, clock: StillClock
) -> None:
    album_id = push(journal, [arrival()])
    owe(journal, Cause.STOPPED)
    for number in range(3):
        with journal.transaction():
            message = Message(counts={"uploaded": number})
            notices.owe(journal, Cause.SETTLED, message, album_id=album_id)
            notices.handed_over(journal, [one.id for one in notices.claim(journal, OURS)])
        clock.now += KEPT_SECONDS + 1
    owe(journal, Cause.STOPPED)
    left = [(one.cause, one.message.counts) for one in notices.unsaid(journal.connection, clock())]
    last = {"uploaded": 2}
    assert left == [(Cause.STOPPED, {}), (Cause.SETTLED, last), (Cause.STOPPED, {})]


# Delivering, with what a process does in between: claim, hand over, mark.


class Receiver:
    """What the user gets, as a channel that takes all."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.got: list[str] = []
        self.handed = Handed(is_taken=True)
        monkeypatch.setattr(notifying, "hand_over", self.hand_over)

    def hand_over(self, settings: Unattended, notice: Notice, means: object) -> Handed:  # noqa: ARG002
        self.got.append(notice.key)
        return self.handed


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Receiver:
    return Receiver(monkeypatch)


def config(**settings: object) -> Config:
    own = {"on_done": ("tell",), **settings}
    return Config("config.toml", defaults=Defaults(unattended=Unattended(**own)))  # type: ignore[arg-type]


def courier(pid: int = OURS, **settings: object) -> tuple[Notifying, list[str]]:
    """A process that delivers, and its warnings."""
    warnings: list[str] = []
    return Notifying(lambda: config(**settings), warnings.append, pid), warnings


def finish(one: Notifying, journal: Journal) -> None:
    one.finish(journal, (), lambda: False)


def now_of(journal: Journal) -> notifying.Change:
    return lambda change: in_own_transaction(journal, change)


def never(_change: object) -> Future[object]:
    """What becomes of a change whose process dies: nothing."""
    return Future()


@pytest.fixture
def all_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices.os, "kill", _no_process)


def _no_process(*_: object) -> None:
    raise ProcessLookupError


def test_each_notice_is_handed_over_once(journal: Journal, receiver: Receiver) -> None:
    keys = [owe(journal) for _ in range(3)]
    one, warnings = courier()
    finish(one, journal)
    finish(courier(THEIRS)[0], journal)
    assert receiver.got == keys
    assert warnings == []
    assert unsaid(journal) == []


@pytest.mark.usefixtures("all_dead")
def test_a_process_that_dies_with_its_claim_leaves_it_to_the_next(
    journal: Journal, receiver: Receiver
) -> None:
    key = owe(journal)
    assert claim(journal, THEIRS) == [key]
    finish(courier()[0], journal)
    assert receiver.got == [key]


@pytest.mark.usefixtures("all_dead")
def test_a_process_that_dies_before_it_marks_has_it_handed_over_twice_with_one_id(
    journal: Journal, receiver: Receiver
) -> None:
    key = owe(journal)
    dying, _ = courier(THEIRS)
    dying.turn(now_of(journal))
    dying.turn(never)
    while not receiver.got or dying._hands._back.empty():
        pass
    dying.turn(never)
    finish(courier()[0], journal)
    assert receiver.got == [key, key]
    assert unsaid(journal) == []


def test_a_mark_that_the_run_did_not_make_is_made_at_the_end(
    journal: Journal, receiver: Receiver
) -> None:
    """The run has ended before its engine came to it."""
    key = owe(journal)
    one, _ = courier()
    one.turn(now_of(journal))
    one.turn(never)
    while one._hands._back.empty():
        pass
    one.turn(never)
    finish(one, journal)
    assert receiver.got == [key]
    assert not notices.is_owed(journal)


def test_what_is_not_marked_yet_is_not_claimed_again(journal: Journal, receiver: Receiver) -> None:
    """The engine makes changes when it comes to them; another notice was owed meanwhile."""
    first = owe(journal)
    one, _ = courier()
    one.turn(now_of(journal))
    one.turn(never)
    while one._hands._back.empty():
        pass
    one.turn(never)
    second = owe(journal)
    one.owed()
    one.turn(now_of(journal))
    one.turn(now_of(journal))
    finish(one, journal)
    assert receiver.got == [first, second]


def test_a_claim_stays_young_while_another_notice_takes_its_time(
    journal: Journal, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = threading.Event()

    def takes_its_time(settings: Unattended, notice: Notice, means: object) -> Handed:  # noqa: ARG001
        assert notice.key == first or slow.wait(60)
        return Handed(is_taken=True)

    monkeypatch.setattr(notifying, "hand_over", takes_its_time)
    first = owe(journal)
    owe(journal)
    one, _ = courier()
    one.turn(now_of(journal))
    one.turn(never)
    clock.now += CLAIM_SECONDS + 1
    while one._hands._back.empty():
        pass
    one.turn(now_of(journal))
    assert claim(journal, THEIRS, OURS, THEIRS) == []
    slow.set()
    finish(one, journal)
    assert not notices.is_owed(journal)
    assert unsaid(journal) == []


def test_a_claim_that_the_engine_refused_is_made_again(
    journal: Journal, receiver: Receiver
) -> None:
    """It was not there yet."""

    def refused(_change: object) -> Future[object]:
        future: Future[object] = Future()
        future.set_exception(RuntimeError())
        return future

    key = owe(journal)
    one, _ = courier()
    one.turn(refused)
    one.turn(now_of(journal))
    one.turn(now_of(journal))
    while not receiver.got:
        pass
    assert receiver.got == [key]
    finish(one, journal)


def test_a_claim_that_the_run_did_not_make_is_made_at_the_end(
    journal: Journal, receiver: Receiver
) -> None:
    key = owe(journal)
    one, _ = courier()
    one.turn(never)
    finish(one, journal)
    assert receiver.got == [key]


def test_what_a_screen_was_saying_is_handed_over_before_the_command_ends(
    journal: Journal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, pid = owe(journal), os.getpid()
    say(journal, pid, [key])
    one, _ = courier()
    wait = one._hands.work_for

    def said_meanwhile(seconds: float) -> None:
        notices.said(journal.connection, 1.0, pid, [number_of(journal, key)], [])
        wait(seconds)

    monkeypatch.setattr(one._hands, "work_for", said_meanwhile)
    finish(one, journal)
    assert receiver.got == [key]
    assert not notices.is_owed(journal)


def test_a_channel_that_failed_is_not_run_again_and_its_reason_is_said(
    journal: Journal, receiver: Receiver
) -> None:
    key = owe(journal)
    receiver.handed = Handed(is_taken=True, fault="on_done failed: exit 3")
    one, warnings = courier()
    finish(one, journal)
    finish(courier(THEIRS)[0], journal)
    assert receiver.got == [key]
    assert warnings == ["on_done failed: exit 3"]
    assert unsaid(journal) == [(key, "on_done failed: exit 3")]


def test_what_is_lacking_here_is_said_once(journal: Journal, receiver: Receiver) -> None:
    keys = [owe(journal) for _ in range(2)]
    receiver.handed = Handed(lack="it is not installed")
    one, warnings = courier()
    finish(one, journal)
    owe(journal)
    other, others = courier(THEIRS)
    finish(other, journal)
    assert (warnings, others) == (["it is not installed"], [])
    assert len(receiver.got) == 3
    assert [key for key, _ in unsaid(journal)][:2] == keys, "a screen says it"


@pytest.mark.parametrize(
    ("cause", "code", "is_trouble"),
    [
        (Cause.SETTLED, 0, False),
        (Cause.SETTLED, 3, True),
        (Cause.STOPPED, 4, True),
        (Cause.UNREACHABLE, 75, True),
        (Cause.WELL, 0, False),
    ],
)
def test_whoever_wants_troubles_gets_no_others(
    journal: Journal, receiver: Receiver, cause: Cause, code: int, is_trouble: bool
) -> None:
    key = owe(journal, cause, exit=code)
    finish(courier(notify_on="trouble")[0], journal)
    assert receiver.got == ([key] if is_trouble else [])
    finish(courier(notify_on="all")[0], journal)
    assert receiver.got == ([key] if is_trouble else []), "it is done with"
    assert unsaid(journal) == ([] if is_trouble else [(key, "")])


def test_without_a_channel_it_is_left_to_a_screen(journal: Journal, receiver: Receiver) -> None:
    key = owe(journal)
    finish(courier(on_done=())[0], journal)
    assert receiver.got == []
    assert unsaid(journal) == [(key, "")]
    finish(courier()[0], journal)
    assert receiver.got == [], "a channel that came later does not get it"


def test_a_channel_that_raises_is_a_fault_and_says_nothing_secret(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Handed:
        raise ValueError("ntfy://user:hunter2@host")

    monkeypatch.setattr(notifying, "hand_over", broken)
    owe(journal)
    one, warnings = courier()
    finish(one, journal)
    assert warnings == ["a notice could not be handed over: ValueError"]


def _hangs(settings: Unattended, notice: Notice, means: notifying.Means) -> Handed:  # noqa: ARG001
    while not means.gives_up():
        pass
    return Handed(fault="cut off")


def test_what_hangs_at_the_end_is_cut_off_by_a_signal(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifying, "hand_over", _hangs)
    first, second = owe(journal), owe(journal)
    one, warnings = courier()
    one.finish(journal, (), lambda: True)
    assert warnings == []
    assert unsaid(journal) == [(first, ""), (second, "")]
    both = [first, second]
    assert claim(journal, THEIRS, OURS, THEIRS) == both, "another one does it, as after a kill"


@pytest.mark.parametrize("by", ["a screen", "closing words", "nobody"])
def test_what_was_cut_off_is_handed_over_again_unless_the_user_was_told(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(notifying, "hand_over", _hangs)
    album_id = push(journal, [arrival()])
    with journal.transaction():
        cut, fresh = (
            notices.owe(journal, Cause.SETTLED, Message(), album_id=album_id) for _ in range(2)
        )
    courier(THEIRS)[0].finish(journal, (), lambda: True)
    receiver = Receiver(monkeypatch)
    with journal.transaction():
        if by == "a screen":
            notices.said(journal.connection, 1.0, THEIRS, [cut, fresh], [])
        elif by == "closing words":
            notices.said_of_albums(journal.connection, 1.0, [album_id])
    finish(courier()[0], journal)
    keys = {row["id"]: row["key"] for row in journal.rows("select id, key from notice")}
    again = [keys[cut]] if by == "nobody" else []
    assert receiver.got == [*again, keys[fresh]], "what no channel has begun with it gets"
    assert not notices.is_owed(journal)
    assert unsaid(journal) == []


FULL = LocalError("journal.db: the disk is full", "make room, then: albumup resume")


def test_a_fault_is_told_even_if_the_journal_takes_no_notice(
    journal: Journal, receiver: Receiver
) -> None:
    album_id = push(journal, [arrival()])
    before = owe(journal)
    journal.connection.execute("pragma query_only = on")
    for _ in range(2):
        one, _ = courier()
        one.finish(journal, (), lambda: False, Fault(FULL, [album_id], None))
    assert len(receiver.got) == 2
    assert len(set(receiver.got) - {before}) == 1, "the other process tells it with the same id"
    journal.connection.execute("pragma query_only = off")
    one, _ = courier()
    one.finish(journal, (), lambda: False, Fault(FULL, [album_id], None))
    assert receiver.got[2:] == [before, receiver.got[0]]
    one, _ = courier()
    one.finish(journal, (), lambda: False, Fault(FULL, [album_id], None))
    assert len(receiver.got) == 4, "it is noted, so it is no news"


def test_a_fault_whose_notice_cannot_be_claimed_is_told(
    journal: Journal, receiver: Receiver
) -> None:
    with journal.transaction():
        note_told(journal, "notice here", str(FULL))
        message = Message(exit=1, words=str(FULL), run=7)
        notices.owe(journal, Cause.STOPPED, message, key="1234")
    end = cast(RunEnd, SimpleNamespace(run_id=7))
    journal.connection.execute("pragma query_only = on")
    courier()[0].finish(journal, (), lambda: False, Fault(FULL, [], end))
    assert receiver.got == ["1234"]
    journal.connection.execute("pragma query_only = off")
    courier()[0].finish(journal, (), lambda: False, Fault(FULL, [], end))
    assert receiver.got == ["1234", "1234"], "a claimed one is told once"


def test_a_run_that_goes_on_leaves_a_fault_of_an_earlier_one(
    journal: Journal, receiver: Receiver
) -> None:
    with journal.transaction():
        notices.owe(journal, Cause.STOPPED, Message(exit=1), key="1234")
    other = owe(journal)
    one, _ = courier()
    for _ in range(2):
        one.turn(now_of(journal))
    while not receiver.got:
        pass
    assert receiver.got == [other]
    finish(one, journal)
    assert receiver.got == [other, "1234"], "the run has ended without knowing that it is over"


def test_a_journal_that_cannot_be_written_is_no_reason_to_fail(
    journal: Journal, receiver: Receiver
) -> None:
    owe(journal)
    journal.connection.execute("pragma query_only = on")
    one, _ = courier()
    one.finish(journal, [1], lambda: False)
    assert receiver.got == [], "what cannot be claimed is not handed over"
    journal.connection.execute("pragma query_only = off")
    finish(courier(THEIRS)[0], journal)
    assert len(receiver.got) == 1
