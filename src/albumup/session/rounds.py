"""Fresh sets of tries for photos that did not get there: asked for by name, or the rounds that cron gives."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from albumup.config.file import Config
from albumup.errors import AlbumupError
from albumup.journal import rounds, runs
from albumup.journal.journal import Journal
from albumup.journal.rounds import Candidate
from albumup.journal.rows import Album
from albumup.journal.states import State
from albumup.targets.registry import kind_of, settings_for, table_of

LADDER = (0.0, 15 * 60.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds after a failure until the photo's next fresh set of tries is due, by the number of sets it has had."""


class Wanted(Struct, frozen=True):
    """What is given fresh sets, besides failed and missing photos. ``rounds``: the sets that a photo gets at most, when
    they are due; None: one now, and the rounds begin anew."""

    rounds: int | None
    rejected: bool = False
    in_doubt: bool = False
    """Also where a photo may then be there twice."""


def round_is_due(rounds_had: int, failed_at: float, now: float, most: int) -> bool:
    """May cron give a failed photo its next fresh set of tries? If the clock was set back, it is due at once."""
    if rounds_had >= most:
        return False
    wait = wait_after(rounds_had)
    return now >= failed_at + wait or now < failed_at - 1


def begin(journal: Journal, config: Config, albums: Sequence[Album], wanted: Wanted, *, lifts_holds: bool) -> None:
    """Give fresh sets to what is due in some albums, in one transaction."""
    with journal.transaction():
        if lifts_holds:
            runs.hold(journal, [album.id for album in albums], False)
        for album in albums:
            if wanted.rounds is None:
                journal.renew_refused(album.id)
            give(journal, album, wanted, _resending(journal, config, album))


def give(journal: Journal, album: Album, wanted: Wanted, rule: str) -> None:
    """Fresh sets for what is due in an album. ``rule``: as ``_resending`` says."""
    now = journal.clock()
    for state, most in _states(wanted, rule).items():
        for one in rounds.candidates(journal, album.id, state):
            if most is None or round_is_due(one.rounds, one.updated, now, most):
                _fresh_set(journal, one, state, rule, wanted)


def _states(wanted: Wanted, rule: str) -> dict[State, int | None]:
    """The states that are given fresh sets, and how many at most."""
    found: dict[State, int | None] = {State.FAILED: wanted.rounds, State.MISSING: wanted.rounds}
    if wanted.rejected:
        found[State.REJECTED] = wanted.rounds
    if wanted.in_doubt or rule != "never":
        # Where it may then be there twice, once has to do.
        once = wanted.rounds is not None and rule == "allowed"
        found[State.IN_DOUBT] = min(wanted.rounds or 0, 1) if once else wanted.rounds
    return found


def _fresh_set(journal: Journal, one: Candidate, state: State, rule: str, wanted: Wanted) -> None:
    number = 1 if wanted.rounds is None else one.rounds + 1
    # Perhaps nobody can be asked any more about what was sent under another definition.
    goes_unasked = wanted.in_doubt and one.is_former
    if goes_unasked:
        journal.fresh_set(one.id, rounds=number)
    elif state is State.IN_DOUBT and rule == "asked":
        journal.ask_again(one.id, rounds=number)
    else:
        journal.fresh_set(one.id, rounds=number, is_safe=rule in ("asked", "safe"))


def _resending(journal: Journal, config: Config, album: Album) -> str:
    """What the album's target makes of a photo sent twice: "asked" where it can be asked first, else its ``resend``.

    Of a target that cannot be read, the least is believed: "never".
    """
    try:
        table = table_of(album.target, config, runs.target_definitions(journal))
        if table is None or kind_of(table).can_ask:
            return "asked"
        return str(settings_for(table).resend)
    except AlbumupError:
        return "never"


def wait_after(had: int) -> float:
    """Seconds from a photo's failure to its next fresh set, where it has had so many."""
    return LADDER[min(had, len(LADDER) - 1)]


def due_in(tasks: Sequence[tuple[int, float]], most: int, now: float) -> float | None:
    """Seconds until the next fresh set is due; negative if it is, None if nothing gets another one.

    ``tasks``: of photos that failed the sets that each has had, and when it failed (Unix seconds); ``most``: the sets
    that one gets.
    """
    dues = [failed_at + wait_after(had) for had, failed_at in tasks if had < most]
    return min(dues) - now if dues else None


def fingerprint(journal: Journal, album: Album) -> str:
    """The facts of an album that are news to cron when they change; times and ages are not among them."""
    tally = runs.tally(journal, album.id)
    counts = ", ".join(f"{state} {count}" for state, count in sorted(tally.photos.items()) if count)
    return f"{counts}; rounds {rounds.total(journal, album.id)}"
