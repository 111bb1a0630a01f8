"""Gives fresh sets of tries to photos that did not get there: on request, or in cron's rounds."""

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
from albumup.journal.summary import Summary
from albumup.session.ladder import round_is_due
from albumup.targets.registry import kind_of, settings_for, table_of

_EARLY_SECONDS = 20.0
"""A photo fails some seconds after a turn of cron has begun: without these its next round, 15
minutes later, would not be due at the next turn, but at the one after it."""


class Wanted(Struct, frozen=True):
    """The photos that get fresh sets, besides failed and missing ones."""

    rounds: int | None
    """The most sets of a photo, each when it is due. None: each photo gets one now, and its rounds
    begin anew."""
    rejected: bool = False
    in_doubt: bool = False
    """Also photos that may be on the server twice afterwards."""


def begin(
    journal: Journal, config: Config, albums: Sequence[Album], wanted: Wanted, *, lifts_holds: bool
) -> None:
    """Give fresh sets to the due photos of albums, in one transaction."""
    with journal.transaction():
        if lifts_holds:
            runs.hold(journal, [album.id for album in albums], False)
        for album in albums:
            if wanted.rounds is None:
                journal.renew_refused(album.id)
            give(journal, album, wanted, _resending(journal, config, album))


def give(journal: Journal, album: Album, wanted: Wanted, rule: str) -> None:
    """Give fresh sets to the due photos of an album. ``rule``: see ``_resending``."""
    now = journal.clock() + _EARLY_SECONDS
    for state, most in _states(wanted, rule).items():
        for one in rounds.candidates(journal, album.id, state):
            if most is None or round_is_due(one.rounds, one.updated, now, most):
                _fresh_set(journal, one, state, rule, wanted)


def _states(wanted: Wanted, rule: str) -> dict[State, int | None]:
    """The states that get fresh sets, each with the most sets of a photo."""
    found: dict[State, int | None] = {State.FAILED: wanted.rounds, State.MISSING: wanted.rounds}
    if wanted.rejected:
        found[State.REJECTED] = wanted.rounds
    if wanted.in_doubt or rule != "never":
        # A photo that may be there twice afterwards gets one set only.
        once = wanted.rounds is not None and rule == "allowed"
        found[State.IN_DOUBT] = min(wanted.rounds or 0, 1) if once else wanted.rounds
    return found


def most_of_doubts(journal: Journal, config: Config, album: Album, rounds: int) -> int:
    """The most sets that cron gives to a photo in doubt of this album; 0 if it gives none."""
    found = _states(Wanted(rounds), _resending(journal, config, album))
    return found.get(State.IN_DOUBT) or 0


def _fresh_set(journal: Journal, one: Candidate, state: State, rule: str, wanted: Wanted) -> None:
    number = 1 if wanted.rounds is None else one.rounds + 1
    # The server of a former definition can perhaps not be asked any more.
    goes_unasked = wanted.in_doubt and one.is_former
    if goes_unasked:
        journal.fresh_set(one.id, rounds=number)
    elif state is State.IN_DOUBT and rule == "asked":
        journal.ask_again(one.id, rounds=number)
    else:
        journal.fresh_set(one.id, rounds=number, is_safe=rule in ("asked", "safe"))


def _resending(journal: Journal, config: Config, album: Album) -> str:
    """How the album's target treats a photo in doubt: "asked" if it can be asked first, else its
    ``resend``.

    "never" if the target's settings cannot be read.
    """
    try:
        table = table_of(album.target, config, runs.target_definitions(journal))
        if table is None or kind_of(table).can_ask:
            return "asked"
        return str(settings_for(table).resend)
    except AlbumupError:
        return "never"


def fingerprint(journal: Journal, found: Summary) -> str:
    """The facts about an album that are news to cron when they change. Times are not among them."""
    counts = ", ".join(f"{state} {count}" for state, count in sorted(found.photos.items()) if count)
    return f"{counts}; rounds {rounds.total(journal, found.album.id)}"
