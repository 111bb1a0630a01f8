"""Stories of the simulated world: all laws hold, each fault comes about, and a story replays to the
letter."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace

import pytest
from short import short_form

from albumup.uploader.engine import Engine
from simulation import story
from simulation.chance import Chance
from simulation.plan import (
    ALONE,
    CONNECTS,
    CUTS,
    ENDINGS,
    HANDING,
    HOOKS,
    MANNERS,
    MEDDLING,
    PEOPLE,
    POISON,
    REFUSALS,
    REGIMES,
    WORK,
    Event,
    Plan,
)
from simulation.planted import BUGS, found_by, planted
from simulation.planted import EACH as EACH_BUG
from simulation.runner import other_memory, play_batch
from simulation.shrink import shrunk
from simulation.single import scene_of
from simulation.story import play, play_seed

BLOCK = 20


@pytest.mark.parametrize("block", short_form(range(100), 10))
def test_all_laws_hold(block: int) -> None:
    found = play_batch(block * BLOCK, BLOCK, again=10)
    assert found.bad == []
    assert found.lost == found.false_claims == found.twice_wrongly == 0
    assert found.leaks == set(), "clocks that were not handed in"
    assert found.compared == 2


FINDS = {
    "an album that settles while a run begins owes a notice": Plan(
        581, (300,), resend="never", retries=0, events=(Event("kill", 1, 0.0, "last byte"),)
    ),
    "a run that is stopped at once leaves no coroutine behind": Plan(
        63, (300,), events=(Event("drain twice", 2, 0.0, "step"),)
    ),
    "somebody pushes when the run is just over": Plan(
        426, (60000, 301), resend="never", jobs=1, tick=60.0,
        events=(Event("second push", 142, 0.3, "step"),),
    ),
    "a run ends although all copies are away": Plan(
        28, (300, 301), spool=True, jobs=1, events=(Event("spool away", 1, 0.3, "begins"),)
    ),
    "a run ends although a copy and its photo are gone": Plan(
        29, (300, 301, 302), spool=True, jobs=1,
        events=(Event("remove", 1, 0.0, "begins"), Event("remove", 1, 0.5, "begins"),
                Event("copy gone", 1, 0.3, "begins")),
    ),
    "a photo edited while its end is on its way is marked": Plan(
        2, (300, 70_000), jobs=1, latency=0.15,
        events=(Event("edit in hand", 1, 0.9, "last byte"),),
    ),
    "a photo edited while its end is on its way is sent once at most": Plan(
        2, (300, 70_000), resend="never", jobs=1, latency=0.15,
        events=(Event("edit in hand", 1, 0.9, "last byte"),),
    ),
    "a photo in doubt is edited and edited back": Plan(
        50013, (300, 301), jobs=1, volume="01234567-89ab-cdef-0123-456789abcdef", keeps=False,
        tick=60.0,
        events=(Event("unknown host", 3, 0.15), Event("card swapped", 2, 0.52, "begins"),
                Event("kill", 1, 0.63, "whole")),
    ),
    "a last try of which two runs tell nothing": Plan(
        60090, (300, 301), retries=0, patience=3000.0, tick=60.0,
        events=(Event("401", 2, 0.51), Event("answer lost", 3, 0.11),
                Event("cut at the end", 1, 0.14), Event("drain twice", 1, 0.67, "last byte")),
    ),
    "a photo arrives long after the server was asked": Plan(
        62121, (300, 301, 302, 303), "asked", "safe", retries=1, tick=60.0,
        events=(Event("drain twice", 63, 0.99, "step"), Event("long stall", 3, 0.19),
                Event("drain", 3, 0.28, "whole")),
    ),
    "a photo is stored long after the server was asked": Plan(
        62931, (300,), "asked", "safe",
        events=(Event("late", 1, 0.26), Event("stop", 1, 0.34, "last byte")),
    ),
    "somebody pushes when a run that was stopped is just over": Plan(
        63644, (300,), tick=60.0,
        events=(Event("drain twice", 6, 0.66, "step"), Event("second push", 28, 0.2, "step")),
    ),
    "what a drain cuts late is recorded before the run ends": Plan(
        200929, (300, 301, 302), resend="never", patience=3000.0, speed=0.0, tick=60.0,
        events=(Event("drain", 2, 0.58, "whole"), Event("look hangs", 3, 0.95),
                Event("late", 1, 0.0)),
    ),
    "nobody hears that the server met a fault, and it deletes later": Plan(
        1002544, (300,), "asked", "safe",
        events=(Event("long stall", 1, 0.78), Event("500, stored, deleted later", 1, 0.97)),
    ),
    "a card comes back whose photos went while another was put in": Plan(
        1026443, (300, 301, 302, 303), retries=0, cron=3,
        events=(Event("answer lost", 6, 0.8276), Event("card swapped", 3, 0.5335, "last byte")),
    ),
    "a card is swapped while a photo of it is sent, and is pushed": Plan(
        2011799, (300, 301, 302), retries=0, patience=3000.0, tick=60.0,
        events=(Event("card swapped", 1, 0.068, "begins"), Event("remove", 17, 0.48, "step"),
                Event("second push", 1, 0.829, "begins")),
    ),
    "a card is swapped while the look at it is good still": Plan(
        3103371, (300, 301, 302), "asked", "safe", retries=1, patience=3000.0, proven=False,
        helpers_slow=0.2, tick=60.0, events=(Event("card swapped", 1, 0.1254, "answered"),),
    ),
    "a card is back before the look at the other one": Plan(
        3106962, (300, 301, 100_002, 303, 304), "dedupes", "safe", jobs=2, helpers_slow=0.2,
        tick=60.0, events=(Event("card swapped", 3, 0.1817, "last byte"),),
    ),
    "the disk with the copies is away, and the server has one of the photos": Plan(
        1017457, (300, 301), "asked", "safe", spool=True, proven=False, tick=60.0, hook="slow",
        watched=False, tell_after=600.0, second="stranger",
        events=(Event("sick 504", 1, 0.7938), Event("poison: 429", 0, 0.74),
                Event("open hangs", 1, 0.8078), Event("copy gone", 1, 0.2476, "whole"),
                Event("copy gone", 207, 0.52, "step")),
    ),
    "the disk with the copies is away, and between two runs the server": Plan(
        755, (300, 301), jobs=2, spool=True, tick=60.0, hook="well", watched=False,
        events=(Event("copy gone", 1, 0.2, "answered"), Event("copy gone", 2, 0.2, "whole"),
                Event("stop", 1, 0.2, "answered"), Event("unknown host", 3, 0.2),
                Event("refuses", 2, 0.79)),
    ),
    "a server that reads no more answers the photo before once more": Plan(
        383900, (300, 301), resend="never", jobs=1, tick=60.0,
        events=(Event("twice", 1, 0.43), Event("deaf", 2, 0.99)),
    ),
    "a photo is edited and pushed before it is clear why its last try failed": Plan(
        7, (300, 301, 302), jobs=1, retries=0, spool=True, helpers_slow=0.6, tick=60.0, cron=1,
        volume="01234567-89ab-cdef-0123-456789abcdef",
        events=(Event("card swapped", 2, 0.0217, "begins"), Event("second push", 2, 0.2, "whole"),
                Event("lost, stored, closes", 1, 0.2)),
    ),
    "a photo is edited while a copy of it is sent, pushed, and edited back": Plan(
        8, (300, 301, 302), jobs=2, retries=0, spool=True, helpers_slow=0.6, tick=60.0, cron=1,
        volume="01234567-89ab-cdef-0123-456789abcdef",
        events=(Event("card swapped", 1, 0.058, "begins"), Event("second push", 1, 0.2, "begins"),
                Event("answer lost", 1, 0.2)),
    ),
    "somebody resumes what Ctrl-C has just put on hold, before the process is gone": Plan(
        3132026, (300, 301, 302, 303, 304, 305), "dedupes", "safe", jobs=1, retries=0, spool=True,
        volume="01234567-89ab-cdef-0123-456789abcdef", tick=60.0, hook="", watched=False,
        events=(Event("drain twice", 74, 0.98, "step"), Event("hand over", 116, 0.67, "step")),
    ),
    "two tasks have the same bytes, and one of them was sent twice": Plan(
        1781, (300, 301), spool=True, helpers_slow=0.6, tick=60.0,
        events=(Event("edit", 1, 0.0072, "last byte"), Event("second push", 1, 0.2, "answered"),
                Event("copy gone", 2, 0.3, "begins")),
    ),
    "a photo that was copied is edited and pushed, and gone before it is copied again": Plan(
        1284, (300, 301), "dedupes", "safe", jobs=1, retries=1, spool=True, helpers_slow=0.02,
        tick=60.0,
        events=(Event("edit, same size", 1, 0.0607, "whole"),
                Event("remove", 1, 0.0617, "answered"), Event("second push", 1, 0.2, "whole")),
    ),
    "a process stands still while nothing may start": Plan(
        3162892, (300, 301, 302, 303, 304, 305), jobs=1, patience=3000.0, tick=60.0, hook="",
        watched=False, tell_after=60.0, party=(300,),
        events=(Event("cut at once", 5, 0.04), Event("no leave", 6, 0.61636, "step"),
                Event("sleep, clocks run on", 288, 0.17915, "step")),
    ),
    "a photo on FAT is edited to the same size an hour after its last change": Plan(
        1028064, (300, 301, 302), jobs=1, retries=1, volume="1A2B-3C4D", proven=False,
        events=(Event("drain", 32, 0.0565, "step"), Event("edit, same size", 2, 0.3647, "answered"),
                Event("touch", 38, 0.363, "step")),
    ),
    "the only photo of a card is gone, and others are pushed": Plan(
        1004483, (300,), "dedupes", "safe",
        events=(Event("second push", 16, 0.26, "step"), Event("remove", 5, 0.17, "step")),
    ),
    "nobody hears of the second fault of a photo": Plan(
        1029648, (300, 301, 302), "asked", "safe", jobs=1, retries=0, tick=60.0,
        events=(Event("long stall", 4, 0.51), Event("500, stored, deleted later", 4, 0.11),
                Event("lost, stored, resets", 3, 0.77),
                Event("500, stored, deleted later", 2, 0.55)),
    ),
    "the clock is set back after a photo was seen once": Plan(
        348583, (300, 301, 302, 303), "asked", "safe", jobs=1, spool=True, tells=False,
        proven=False, latency=0.15, helpers_slow=0.2, tick=60.0,
        events=(Event("down silently", 4, 0.9428778774923503),
                Event("clock back", 4, 0.8637226573935786, "answered"),
                Event("sick 504", 2, 0.6304634863014968),
                Event("stop", 3, 0.5922296428583212, "whole")),
    ),
    "a kill hides that a server was sick": Plan(
        1576, (300, 301, 302), jobs=1, proven=False, tick=60.0,
        events=(Event("sick 502", 1, 0.97), Event("502", 5, 0.7),
                Event("kill", 1, 0.73, "answered"), Event("401", 3, 0.49)),
    ),
    "a sick server has nobody to tell": Plan(
        1037874, (300, 301), jobs=1,
        events=(Event("sick 503", 1, 0.79), Event("503", 4, 0.37),
                Event("kill", 1, 0.62, "last byte")),
    ),
    "a sick server is well before it is asked": Plan(
        1005391, (300, 301), retries=0, proven=False, tick=60.0,
        events=(Event("stop", 1, 0.85, "begins"), Event("500", 1, 0.55), Event("sick 503", 3, 0.5),
                Event("ask hangs", 1, 0.64)),
    ),
    "a try is given back while the server is asked": Plan(
        237343, (300, 301), "asked", "safe", patience=3000.0, tick=60.0,
        events=(Event("answer lost", 1, 0.43), Event("lost, stored, hangs", 2, 0.01),
                Event("ask hangs", 2, 0.99), Event("503", 1, 0.01)),
    ),
    "a card is swapped while the answer is on its way": Plan(
        1017412, (300, 301, 302), "asked", "safe", jobs=1, retries=0, patience=3000.0, tick=60.0,
        events=(Event("500, stored, deleted later", 1, 0.48),
                Event("card swapped", 3, 0.44, "answered"),
                Event("second push", 1, 0.59, "answered"), Event("silence", 2, 0.73)),
    ),
    "a photo that was edited while it was sent is pushed again": Plan(
        1012052, (100_000, 100_001, 4002, 303), resend="never", jobs=1,
        events=(Event("edit in hand", 3, 0.87, "last byte"),
                Event("second push", 4, 0.75, "last byte")),
    ),
    "a try is given back while the photo is sent again": Plan(
        1016463, (300, 301, 302), "dedupes", "safe", retries=1, speed=2.0, tick=0.25,
        events=(Event("cut", 2, 0.62), Event("lost, stored later", 3, 0.29)),
    ),
    "one of two photos of a card was edited, and pushed as another card's": Plan(
        63406, (300, 301), volume="1A2B-3C4D", proven=False, tick=60.0,
        events=(Event("second push", 205, 0.61, "step"), Event("edit in place", 1, 0.72, "begins")),
    ),
    "a photo on FAT is edited twice within its two seconds, to the same size": Plan(
        383846, (300, 301, 302), jobs=2, retries=1, volume="1A2B-3C4D", fifo=False, tick=60.0,
        latency=0.01, speed=0.05, helpers_slow=0.02,
        events=(Event("edit", 17, 0.345543376757127, "step"),
                Event("edit, same size", 1, 0.3726805091890665, "last byte")),
    ),
    "a photo on FAT is edited while it is queued, and again once it is sent": Plan(
        502703, (300, 301, 302, 303, 304), patience=3000.0, volume="1A2B-3C4D", fifo=False,
        latency=0.01, speed=0.05, helpers_slow=0.02, tick=60.0,
        events=(Event("edit in place", 3, 0.3360428101535834, "step"),
                Event("edit, same size", 1, 0.21786417343769826, "whole")),
    ),
    "a photo on FAT is read again, and no more is left to read": Plan(
        985, (300, 301, 200_002, 303), "dedupes", "safe", jobs=1, retries=1, volume="1A2B-3C4D",
        tells=False, latency=0.0005, speed=0.0, tick=0.25,
        events=(Event("lost, closes", 1, 0.40758829254047213),
                Event("204", 2, 0.30121334958971313),
                Event("edit, same size", 2, 0.09163079993324019, "whole")),
    ),
    "a photo that is gone is not drawn again while its folder is looked at": Plan(
        102813, (300,), "dedupes", "safe", retries=1, tick=0.25, hook="hangs", watched=False,
        tell_after=600.0,
        events=(Event("no network", 1, 0.898508819924052),
                Event("remove", 1, 0.025249172204044212, "begins")),
    ),
    "the clock jumps over the word of a hook and its end": Plan(
        7093252, (4000, 100_001), jobs=2, patience=3000.0, spool=True, helpers_slow=0.0,
        tick=60.0, hook="well", party=(4000,),
        events=(Event("half an answer", 4, 0.04206929433865603),
                Event("card out", 67, 0.1023332412730743, "step"),
                Event("sleep, clocks run on", 178, 0.7476088255541264, "step"),
                Event("change", 118, 0.6146065628111482, "step")),
    ),
    "a photo is begun in the moment of waking": Plan(
        5202800, (300, 301, 302, 303, 4004, 4005, 306, 307), jobs=2, retries=1, patience=3000.0,
        latency=0.01, speed=0.05, helpers_slow=0.2, tick=60.0, cron=3, hook="hangs",
        watched=False, tell_after=600.0,
        events=(Event("edit", 13, 0.9920481096709395, "last byte"),
                Event("sleep, clocks run on", 125, 0.8686953241806037, "step"),
                Event("watcher hangs", 3, 0.38066231058605227, "last byte")),
    ),
    "a process that stands still just after a sleep was noticed": Plan(
        2058, (300,), "dedupes", "safe", tick=60.0, hook="well", watched=False, tell_after=600.0,
        events=(Event("moves", 1, 0.1471034452827561, "answered"),
                Event("sleep, clocks run on", 2, 0.4500052615218251, "answered"),
                Event("sleep, connections last", 24, 0.20518020327897613, "step")),
    ),
    "a process stands still while a sick target is asked after a photo": Plan(
        204503, (100_000,), "asked", "safe", retries=1, tick=60.0, fifo=True, proven=False,
        hook="hangs", tell_after=600.0, party=(4000, 4001), second="stranger",
        events=(Event("cut at once", 1, 0.16725966085980526),
                Event("sleep, clocks run on", 268, 0.5425522437113945, "step"),
                Event("no leave", 95, 0.26257896942398185, "step")),
    ),
    "two cards were at one path, and the second is out, too": Plan(
        7041118, (300,), retries=0, volume="1A2B-3C4D", tick=60.0, hook="hangs", watched=False,
        proven=False, tell_after=600.0,
        events=(Event("second push", 75, 0.8392657398694852, "step"),
                Event("card out", 1, 0.7480027988986364, "answered"),
                Event("touch", 34, 0.6899861316102031, "step")),
    ),
    "a look at uploads that were cut comes late": Plan(
        7019562, (300, 301), resend="never", retries=1, fifo=True, hook="fails", watched=False,
        tell_after=60.0, party=(60_000, 60_001),
        events=(Event("edit in hand", 2, 0.3686461092576927, "last byte"),
                Event("long stall", 2, 0.6889803550825798),
                Event("poison: lost, closes", 0, 0.673953218656755),
                Event("stop all now", 220, 0.7443497177639167, "step")),
    ),
    "a month goes by after a notice that a target does not work": Plan(
        7006239, (300, 301, 302), jobs=1, retries=1, patience=3000.0, tick=60.0, hook="well",
        watched=False, tell_after=60.0,
        events=(Event("poison: 404 page", 2, 0.6649401072003396),
                Event("clock forward", 455, 0.9221625178071107, "step"),
                Event("first address away", 4, 0.8251785207751128, "step")),
    ),
}  # fmt: skip
"""Stories that were bad once, with their fewest events."""


@pytest.mark.parametrize("name", FINDS)
def test_a_find_stays_mended(name: str) -> None:
    result = play(FINDS[name])
    assert result.broken == ""


def test_a_photo_is_not_missing_while_the_disk_with_its_copy_is_away() -> None:
    """The run has other copies there to remove, and they are not there either."""
    events = (
        Event("open hangs", 1, 0.9),
        Event("lost, stored, closes", 1, 0.4),
        Event("spool away", 1, 0.99, "whole"),
        Event("card out", 1, 0.99, "whole"),
    )
    plan = Plan(1, (300, 301), "asked", "safe", jobs=1, spool=True, events=events)
    with scene_of(plan) as scene:
        scene.push()
        ends = []
        for _ in range(3):
            ends.append(scene.run())
            scene.loop.pass_time(400.0)
        assert [end.exit_code for end in ends if end is not None] == [75, 75, 0], scene.told
        assert any("are to be there" in str(end.fault) for end in ends[:2] if end is not None)


_POINTS = {"step": 30, "begins": 1, "last byte": 1, "whole": 1, "answered": 1}
_OF_PEOPLE = (*MEDDLING, *ENDINGS, *PEOPLE)
_OF_REQUESTS = (*MANNERS, *REFUSALS, *CUTS, *REGIMES)
EACH = {
    **{kind: Event(kind, 2, 0.4) for kind in _OF_REQUESTS},
    **{kind: Event(kind, 1, 0.4) for kind in CONNECTS},
    **{
        f"{kind} at {point}": Event(kind, at, 0.4, point)
        for kind in _OF_PEOPLE
        for point, at in _POINTS.items()
    },
    **{f"poison: {kind}": Event(f"poison: {kind}", 1, 0.4) for kind in POISON},
    **{kind: Event(kind, 1, 0.4) for kind in WORK},
}
"""A story for each kind of fault."""


@pytest.mark.parametrize("name", EACH)
def test_each_fault_comes_about(name: str) -> None:
    event = EACH[name]
    plan = Plan(
        1, (300, 200_001, 4002), "asked", "safe", jobs=1, retries=1, tick=60.0, events=(event,)
    )
    if event.kind == "early 409":
        plan = replace(plan, kind="blind", resend="allowed")
    if name == "ask hangs":
        plan = replace(plan, events=(event, Event("500", 1, 0.4)))
    result = play(plan)
    assert result.broken == ""
    assert result.fired[name.partition(" at ")[0] if event.on else name] > 0, result.told


ALONE_EACH = {
    **{
        f"{kind} at {point}": Event(kind, at, 0.4, point)
        for kind in ALONE
        for point, at in (_POINTS | {"step": 60}).items()
    },
    **{f"{kind} at {point}": Event(kind, 1, 0.4, point) for kind in ENDINGS for point in HANDING},
}
"""A story for each kind of what comes about while nobody is there."""


_SHORT = [name for name in ALONE_EACH if name.endswith(("begins", "hands over"))]


@pytest.mark.parametrize(
    "name", short_form([*_SHORT, *sorted(ALONE_EACH.keys() - set(_SHORT))], len(_SHORT))
)
def test_each_comes_about_while_nobody_is_there(name: str) -> None:
    event = ALONE_EACH[name]
    plan = Plan(
        1, (300, 200_001, 4002), "asked", "safe", jobs=1, tick=0.5, hook="well", watched=False,
        party=(300,), events=(event,),
    )  # fmt: skip
    result = play(plan)
    assert result.broken == ""
    assert result.fired[event.kind] > 0, result.told
    assert result.fired["a notice is delivered"] > 0, result.told
    comes = _COMES_OF.get(event.kind.split()[0], "") if event.kind in ALONE else ""
    assert result.fired[comes] > 0 or comes == "", result.told
    has_woken = any(line.endswith("engine: woke") for line in result.told)
    is_noticed = event.kind in ("sleep", "sleep, clocks run on") and event.on == "begins"
    assert has_woken or not is_noticed, result.told
    assert not has_woken or event.kind.startswith("sleep"), result.told


_COMES_OF = {
    "watcher": "a watcher looks",
    "stop": "a stop returns",
    "change": "a change is taken over",
}
"""Of orders and watchers, by the first word of their kind."""


def test_a_crash_before_a_notice_is_marked_is_counted() -> None:
    """Whoever outlives the crash delivers it, and the next command does so again."""
    counted: Counter[str] = Counter()
    for seed in range(8):
        kill = Event("kill", 1, 0.4, "delivered")
        result = play(Plan(seed, (300,), hook="well", watched=False, events=(kill,)))
        assert result.broken == ""
        counted += result.fired
    assert counted["a crash before a notice is marked"] == 8
    assert counted["a notice is delivered"] == 16


@pytest.mark.parametrize("hook", HOOKS)
def test_a_notice_gets_to_the_user_whatever_the_hook(hook: str) -> None:
    result = play(Plan(1, (300,), hook=hook, watched=False))
    assert result.broken == ""
    is_taken = hook in ("well", "slow")
    assert result.fired["a notice is delivered"] == 1 or not is_taken
    assert result.fired["a notice is said late"] == (not is_taken)


def test_a_run_goes_on_at_the_second_address() -> None:
    event = Event("first address away", 1, 0.99, "whole")
    plan = Plan(1, (300,) * 4, "asked", "safe", jobs=1, hook="well", events=(event,))
    same = play(replace(plan, second="same"))
    assert same.broken == ""
    assert same.fired["the second address is used"] > 0
    assert same.seconds < 3 * 7200  # all of it is sent before the first is back
    stranger = play(replace(plan, second="stranger"))
    assert stranger.broken == ""
    assert stranger.fired["the second address is used"] == 0


def test_stories_replay_to_the_letter() -> None:
    for seed in range(300, 310):
        first = play_seed(seed)
        gc.collect()
        assert play_seed(seed).told == first.told


@pytest.mark.parametrize("at", [35, 53])
def test_a_story_is_the_same_wherever_its_objects_lie(at: int) -> None:
    """A run that is stopped at once cancels what it has begun to read."""
    plan = Plan(
        341400, (300, 301, 200_002, 4003, 4004), jobs=1, retries=0, keeps=False, proven=False,
        latency=0.0005, tick=5.0, events=(Event("stop", at, 0.759, "step"),),
    )  # fmt: skip
    first = play(plan)
    assert first.broken == ""
    for seed in range(6):
        with other_memory(seed):
            assert play(plan).told == first.told


def test_a_step_without_an_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spin(_: Engine) -> None:
        while True:
            pass

    monkeypatch.setattr(story, "MOST_SECONDS", 0.1)
    monkeypatch.setattr(Engine, "_look", spin)
    assert play(Plan(1, (300,))).broken.startswith("Hung: ")


def test_an_actor_that_draws_more_changes_nothing_for_the_others() -> None:
    one, other = Chance(7), Chance(7)
    other.of("server").random()
    assert one.of("line").random() == other.of("line").random()
    assert one.of("server").random() != other.of("server").random()


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    assert len(BUGS) * EACH_BUG <= 200
    assert found_by(name) is not None


def test_a_bad_story_is_shrunk_to_its_fewest_events() -> None:
    events = (
        Event("gzip", 1, 0.1),
        Event("touch", 1, 0.1, "whole"),
        Event("drips", 3, 0.1),
        Event("500, stored", 2, 0.1),
    )
    plan = Plan(3, (300, 301, 302, 4003), jobs=2, spool=True, volume="1A2B-3C4D", events=events)
    with planted(*BUGS["photos sent twice are not marked"]):
        bad = play(plan)
        assert "the journal does not say so" in bad.broken
        least = shrunk(bad)
    assert "the journal does not say so" in least.broken
    assert least.plan.events == (Event("500, stored", 2, 0.1),)
    assert len(least.plan.sizes) <= 2
    assert not least.plan.spool
