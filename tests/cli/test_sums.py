"""What is said of an album's sums, as a table: the end of a run, following, a late notice, cron,
status, --json."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from albumup.cli import sums
from albumup.cli.cron import Rounds, cron_words
from albumup.cli.status import _row
from albumup.journal.reading import Running, status_of
from albumup.journal.rows import Album
from albumup.journal.summary import FoundThere, RunSummary, Summary
from albumup.session.codes import settled_code
from albumup.session.news import busy
from albumup.session.totals import progress_of
from albumup.uploader.commands import retry_options
from albumup.uploader.options import RunEnd

ALBUM = Album(1, "trip", "nas", False)


def album(
    *, asked: int = 0, is_placing: bool = False, is_refused: bool = False, **counts: int
) -> Summary:
    """An album of photos of 1 MB."""
    sizes = {state: 1_000_000 * count for state, count in counts.items()}
    return Summary(
        ALBUM,
        None,
        "2026-01-02T03:04:05.000Z",
        counts,
        sizes,
        asked,
        1_000_000 * asked,
        is_placing,
        is_refused,
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (RunSummary(album()), "nothing to send"),
        (RunSummary(album(uploaded=2)), "2 of 2 sent in 4 s (2.0 MB, 500.0 kB/s)"),
        (RunSummary(album(uploaded=2, cancelled=1)), "2 of 2 sent in 4 s (2.0 MB, 500.0 kB/s)"),
        (RunSummary(album(uploaded=2, failed=1)), "2 of 3 sent in 4 s (2.0 MB, 500.0 kB/s), 1 not"),
        (RunSummary(album(rejected=1, in_doubt=1)), "0 of 2 sent, 2 not"),
        (
            RunSummary(album(uploaded=3), 1, 1_000_000),
            "2 of 2 sent in 4 s (2.0 MB, 500.0 kB/s); 1 was there before",
        ),
        (RunSummary(album(uploaded=2), 2, 2_000_000), "nothing to send; 2 were there before"),
        (RunSummary(album(uploaded=2, is_placing=True), 2, 2_000_000), "all sent"),
        (RunSummary(album(failed=2), earlier=2), "nothing to send; 2 still not, from before"),
        (
            RunSummary(album(uploaded=1, failed=3), earlier=2),
            "1 of 2 sent in 4 s (1.0 MB, 250.0 kB/s), 1 not; 2 still not, from before",
        ),
        (
            RunSummary(album(uploaded=1, duplicate=4), found=FoundThere(2, 1, 1, 3, 3_000_000)),
            "2 of 2 sent in 4 s (2.0 MB, 500.0 kB/s); 2 already there; 1 twice in the folder;"
            " 1 of them was there already",
        ),
    ],
)
def test_the_end_of_a_run(found: RunSummary, said: str) -> None:
    assert sums.of_ended_run(found, 4.0, "sent") == said
    copied = said.replace("sent in", "copied in").replace("0 of 2 sent", "0 of 2 copied")
    assert sums.of_ended_run(found, 4.0, "copied") == copied


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        (RunSummary(album(pending=3)), 75, "0 of 3 sent, 3 waiting. Go on with: albumup resume"),
        (
            RunSummary(album(uploaded=1, pending=2)),
            130,
            "stopped, 1 of 3 sent, 2 waiting. On hold until: albumup resume",
        ),
        (
            RunSummary(album(uploaded=1, sending=2)),
            143,
            "stopped, 1 of 3 sent, 2 waiting. Go on with: albumup resume",
        ),
        (
            RunSummary(album(uploaded=4, pending=1, failed=2), 3, 3_000_000, earlier=1),
            75,
            "1 of 3 sent, 1 waiting, 1 not. Go on with: albumup resume",
        ),
        (
            RunSummary(album(in_doubt=3, asked=2)),
            75,
            "0 of 3 sent, 2 waiting, 1 not. Go on with: albumup resume",
        ),
    ],
)
def test_the_end_of_a_run_with_photos_that_wait(found: RunSummary, code: int, said: str) -> None:
    assert sums.of_stopped_run(found, code, "sent") == said


ON_HOLD = replace(album(uploaded=1, pending=2), album=replace(ALBUM, held=True))


@pytest.mark.parametrize("code", [0, 75, 143])
def test_an_album_on_hold_was_stopped_however_its_run_ends(code: int) -> None:
    said = sums.of_stopped_run(RunSummary(ON_HOLD), code, "sent", "albumup resume trip")
    assert said == "stopped, 1 of 3 sent, 2 waiting. On hold until: albumup resume trip"


@pytest.mark.parametrize(("was_held", "first"), [(False, "on hold now"), (True, "on hold already")])
def test_an_album_that_nobody_sends_is_put_on_hold(was_held: bool, first: str) -> None:
    said = sums.of_album_on_hold(RunSummary(ON_HOLD), "copied", "albumup resume", was_held=was_held)
    assert said == f"{first}, 1 of 3 copied, 2 waiting. Until: albumup resume"


def test_an_album_is_stopped_before_all_is_done_there() -> None:
    now = replace(album(uploaded=2, is_placing=True), album=replace(ALBUM, held=True))
    said = sums.of_stopped_run(RunSummary(now), 143, "sent")
    assert said == (
        "stopped, all sent, and not yet all done in the album there. On hold until: albumup resume"
    )


def test_an_album_of_which_nothing_is_left_to_stop() -> None:
    found = RunSummary(album(uploaded=2, failed=1), before=1)
    assert sums.of_finished_album(found, "sent") == "nothing left to stop, 1 of 2 sent, 1 not"


@pytest.mark.parametrize(
    ("now", "settled", "late", "options"),
    [
        (album(uploaded=1), "nothing to do; 1 sent", "1 photo sent", []),
        (album(uploaded=1, duplicate=1), "nothing to do; 2 sent", "2 photos sent", []),
        (album(uploaded=1, failed=2), "nothing to do; 1 sent, 2 not", "1 photo sent, 2 not", []),
        (
            album(rejected=1, cancelled=5),
            "nothing to do; 0 sent, 1 not",
            "0 photos sent, 1 not",
            ["--rejected"],
        ),
    ],
)
def test_an_album_with_nothing_to_send(
    now: Summary, settled: str, late: str, options: list[str]
) -> None:
    assert sums.of_settled(now, 0) == settled
    assert sums.of_settled(now, 1) == settled.replace(" sent", " sent before, 1 of them gone there")
    assert sums.of_late_notice(now, "3 h") == f"finished 3 h ago: {late}"
    assert retry_options(now, is_unasked=False) == options
    assert retry_options(now, is_unasked=True) == [*options, "--in-doubt"]
    assert settled_code([album(uploaded=1), now]) == (3 if "not" in late else 0)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (RunSummary(album(uploaded=3), 1), "2 of 2 sent"),
        (RunSummary(album(uploaded=3, failed=1)), "3 of 4 sent, 1 not"),
        (
            RunSummary(album(uploaded=1, pending=2)),
            "1 of 3 sent, 2 waiting. Go on with: albumup resume",
        ),
        (
            RunSummary(album(in_doubt=2, asked=1)),
            "0 of 2 sent, 1 not, 1 waiting. Go on with: albumup resume",
        ),
    ],
)
def test_the_end_of_following(found: RunSummary, said: str) -> None:
    assert sums.of_followed(found) == said
    held = replace(found, now=replace(found.now, album=replace(ALBUM, held=True)))
    assert sums.of_followed(held) == said.replace("Go on with", "On hold until")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (album(uploaded=3), "3 of 3 sent"),
        (album(uploaded=3, failed=1, cancelled=2), "3 of 4 sent, 1 not"),
        (album(uploaded=1, pending=2), "1 of 3 sent, 2 waiting. Go on with: albumup resume"),
        (
            album(uploaded=2, is_placing=True),
            "2 of 2 sent, and not yet all done in the album there. Go on with: albumup resume",
        ),
    ],
)
def test_an_album_that_nobody_sends(now: Summary, said: str) -> None:
    assert sums.of_standing(now) == said
    held = replace(now, album=replace(ALBUM, held=True))
    assert sums.of_standing(held) == said.replace("Go on with", "On hold until")


@pytest.mark.parametrize(
    ("found", "had", "said"),
    [
        (RunSummary(album(uploaded=2), 2), 0, "nothing to send"),
        (RunSummary(album(uploaded=3, cancelled=1), 1), 0, "2 sent"),
        (RunSummary(album(failed=1)), 0, "1 photo failed"),
        (
            RunSummary(album(failed=1, missing=1)),
            1,
            "2 photos failed again (round 1 of 3, next in 15 min)",
        ),
        (RunSummary(album(failed=1)), 3, "1 photo failed again (round 3 of 3, the last one)"),
        (
            RunSummary(album(rejected=1, in_doubt=3, asked=1, uploaded=2, pending=4)),
            0,
            "1 rejected, 2 in doubt, 2 sent, 5 waiting",
        ),
    ],
)
def test_crons_mail(found: RunSummary, had: int, said: str) -> None:
    assert cron_words(found, had, 3) == said


@pytest.mark.parametrize(
    ("doubted", "said"),
    [
        (Rounds(0, 3), "2 in doubt"),
        (Rounds(1, 3), "2 in doubt (round 1 of 3, next in 15 min)"),
        (Rounds(3, 3), "2 in doubt (round 3 of 3, the last one)"),
        (Rounds(1, 1), "2 in doubt (round 1 of 1, the last one)"),
        (Rounds(2, 0), "2 in doubt"),
    ],
)
def test_crons_mail_says_the_same_of_doubts(doubted: Rounds, said: str) -> None:
    found = RunSummary(album(failed=1, in_doubt=2))
    assert cron_words(found, 0, 3, doubted=doubted) == f"1 photo failed, {said}"


@pytest.mark.parametrize(
    ("now", "state", "row"),
    [
        (album(uploaded=2, duplicate=1), "settled", ("3/3", 0, 0, 0, "0 B")),
        (album(uploaded=2, pending=1, sending=1), "waiting", ("2/4", 2, 0, 0, "2.0 MB")),
        (album(uploaded=2, failed=1, rejected=1, missing=1), "settled", ("2/5", 0, 3, 0, "3.0 MB")),
        (album(uploaded=2, in_doubt=3, asked=1), "waiting", ("2/5", 1, 2, 0, "3.0 MB")),
        (album(uploaded=2, cancelled=4), "settled", ("2/2", 0, 0, 4, "0 B")),
        (album(uploaded=2, is_placing=True), "waiting", ("2/2", 0, 0, 0, "0 B")),
        (album(uploaded=2, is_refused=True), "settled", ("2/2", 0, 0, 0, "0 B")),
    ],
)
def test_status_and_json(now: Summary, state: str, row: tuple[object, ...]) -> None:
    name, target, said, *rest, _ = _row(now, None, any_cancelled=True)
    assert (name, target, said, tuple(rest)) == ("trip", "nas", state, row)
    run = Running(1, 7, "", frozenset({ALBUM.id}))
    running = _row(now, run, any_cancelled=False)
    is_settled = state == "settled"
    assert (running[2], running[-1] == "now") == (
        "settled" if is_settled else "running pid 7",
        not is_settled,
    )
    held = replace(now, album=replace(ALBUM, held=True))
    assert _row(held, run, any_cancelled=False)[2] == ("settled" if is_settled else "held")
    of_others = run._replace(scope=frozenset({ALBUM.id + 1}))
    assert _row(now, of_others, any_cancelled=False)[2] == state
    found = status_of(now)
    assert (found["settled"], found["held"], status_of(held)["held"]) == (is_settled, False, True)
    assert {key: count for key, count in found["counts"].items() if count} == now.photos
    there = now.photos["uploaded"] + now.photos.get("duplicate", 0)
    whole = sum(now.photos.values()) - now.photos.get("cancelled", 0)
    assert found["bytes"] == {"total": 1_000_000 * whole, "sent": 1_000_000 * there}


def test_a_follower_sees_all_that_is_undecided() -> None:
    here = [album(uploaded=3, pending=2, sending=1, in_doubt=1, failed=5), album(duplicate=1)]
    seen = progress_of(here, 1, 1_000_000)
    assert (seen.photos_done, seen.photos_total) == (3, 7)
    assert (seen.bytes_done, seen.bytes_total) == (3_000_000, 7_000_000)


def test_albums_are_told_of_that_changed_or_are_not_well() -> None:
    def end(*before: int) -> RunEnd:
        return RunEnd(
            0, 1, {number: (count, 0) for number, count in enumerate(before, 1)}, {}, {}, None, 1.0
        )

    well = album(uploaded=2)
    second = replace(well, album=replace(ALBUM, id=2))
    assert busy([well, second], end(2, 2), frozenset()) == [well]  # none: the first
    assert busy([well, second], end(2, 1), frozenset()) == [second]
    assert busy([well, second], end(2, 2), frozenset({2})) == [second]
    failed = replace(second, photos={"uploaded": 2, "failed": 1})
    assert busy([well, failed], end(2, 2), frozenset()) == [failed]
