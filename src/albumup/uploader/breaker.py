"""Whose fault was it, the photo's or the target's? One target's circuit breaker during a run, as pure state.

A photo that was neither taken nor refused costs a try, unless the target turns out to be sick: then that try is given
back. So a proxy that answers 502 for two days costs no photo a try, and a photo that makes its server fail is found.
docs/design.md has the rule in words. Times are monotonic seconds; nothing here sleeps, asks, or knows a journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from albumup.retry import Spent

QUICK_WAIT = 60.0
"""Seconds between looks at a sick target, at most, in the first ten minutes of a pause."""
SLOW_AFTER = SLOW_WAIT = 600.0
_SHORT_WAIT = 0.25
"""Seconds until the next look at a target that answered when there was no photo to send."""
MOST_BACK = {Spent.WHOLE: 3, Spent.CUT: 10, Spent.TOO_MANY: 10}
"""How many attempts of a photo are given back, ever."""
CRON_PHOTOS = 3
"""Photos that a run without patience sends into a pause."""
NEVER_PHOTOS = 3
"""Photos that a pause spends of a target that is never sent a photo twice."""
SAME_REFUSALS = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """What a photo has used up: ``tries`` of its present set, and how many attempts were given back, ever."""

    tries: int = 0
    whole: int = 0
    cut: int = 0
    too_many: int = 0

    def back(self, spent: Spent) -> int:
        return {Spent.WHOLE: self.whole, Spent.CUT: self.cut, Spent.TOO_MANY: self.too_many}[spent]


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that was neither taken nor refused.

    ``is_well``: the target answered a question without a photo. ``is_portal``: the answer was what a portal gives.
    ``is_in_doubt``: the photo may have arrived. ``is_alone``: nothing else was in flight. ``retry_after``: seconds
    that the server asked for.
    """

    task_id: int
    spent: Spent
    counts: Counts
    began: float
    words: str
    is_well: bool = True
    is_portal: bool = False
    is_in_doubt: bool = False
    is_alone: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """``given_back``: this attempt costs no try. ``refunds``: earlier tries that are given back now, by task.

    ``is_held``: it was the last try of its set, and what comes next tells whose fault it was.
    """

    given_back: bool
    refunds: tuple[tuple[int, Spent], ...] = ()
    is_held: bool = False


@dataclass(slots=True)
class Breaker:
    """``patience`` in seconds; ``retries`` as in the rules; ``most_photos`` in a pause, None for no such limit.

    ``sends_once``: the target's rule is ``resend = "never"``, and it cannot be asked.
    """

    patience: float
    retries: int
    proven: bool
    jobs: int
    most_photos: int | None = None
    sends_once: bool = False
    since: float | None = None
    """When the present pause began, in this run; None: the target is well."""
    words: str = ""
    next_at: float = 0.0
    """When a sick target is looked at again."""
    gave_up: bool = False
    spent_photos: int = 0
    """Photos that pauses have spent since one was accepted, across runs."""
    accepted_at: float = float("-inf")
    _wait: float = 1.0
    _photos: int = 0
    _charged: list[tuple[int, Spent]] = field(default_factory=list)
    """Tries that were charged since a photo was last accepted."""
    _row: set[int] = field(default_factory=set)
    """Witnesses in a row that were neither taken nor refused."""
    _probe: int | None = None
    """The photo that was sent into a pause, or 0 while the question before it is under way."""

    @property
    def is_sick(self) -> bool:
        return self.since is not None

    def gives_up_at(self) -> float:
        """When patience ends; only meaningful in a pause."""
        return (self.since or 0.0) + self.patience

    def accepted(self, now: float) -> None:
        """A photo was taken: the target is well, and what was charged is the photos' own."""
        self.proven = True
        self.accepted_at = now
        self.spent_photos = 0
        self.refused()

    def refused(self) -> None:
        """A photo was refused for what it is: the target is well."""
        self.since = None
        self._photos = 0
        self._wait = 1.0
        self._charged.clear()
        self._row.clear()
        self._probe = None

    def ended(self, end: Ended, now: float, chance: float) -> Ruling:
        """Judge an attempt that was neither taken nor refused. ``chance`` in [0, 1) spreads the waits."""
        is_only = end.is_alone or self.jobs == 1
        if end.spent is Spent.TOO_MANY:
            self.jobs = max(1, self.jobs - 1)
        may_return = end.counts.back(end.spent) < MOST_BACK[end.spent]
        others_went = self.accepted_at > end.began
        is_too_many = end.spent is Spent.TOO_MANY and may_return and end.is_well
        if is_too_many and not self.is_sick and (others_went or not is_only):
            return Ruling(given_back=True)
        if end.counts.tries == 0 and not others_went:
            self._row.add(end.task_id)
        if not self.is_sick and not self._shows_sickness(end, may_return, others_went):
            return self._charge(end)
        refunds = self._refunds(end.task_id)
        if self.is_sick:
            self._lengthen(end, now, chance)
        else:
            self._fall_sick(end.words, end.retry_after, now, chance)
        if may_return:
            return Ruling(given_back=True, refunds=refunds)
        return Ruling(given_back=False, refunds=refunds)  # it is its own, whatever the target is

    def _shows_sickness(self, end: Ended, may_return: bool, others_went: bool) -> bool:
        if not end.is_well:
            return True
        if end.spent is Spent.TOO_MANY and may_return:
            return True  # to the only upload in flight
        is_witness = end.counts.tries == 0 and not others_went
        return is_witness and (end.is_portal or len(self._row) >= 2)

    def _charge(self, end: Ended) -> Ruling:
        self._charged.append((end.task_id, end.spent))
        # One whose last try told nothing in an earlier run was sent once more: that is its own.
        return Ruling(given_back=False, is_held=end.counts.tries == self.retries)

    def _refunds(self, but: int) -> tuple[tuple[int, Spent], ...]:
        refunds = tuple(one for one in self._charged if one[0] != but)
        self._charged.clear()
        self._row.clear()
        return refunds

    def unwell(
        self, words: str, retry_after: float | None, now: float, chance: float, task_id: int | None = None
    ) -> None:
        """A question without a photo got no answer that will do, or no connection was to be had for ``task_id``."""
        if not self.is_sick:
            self._fall_sick(words, retry_after, now, chance)
            return
        if task_id is not None and task_id != self._probe:
            return  # it was on its way when the pause began
        self.words = words
        self._probe = None
        if self.most_photos is not None or now >= self.gives_up_at():
            self.gave_up = True
            return
        self._put_off(retry_after, now, chance, doubles=True)

    def fell_sick_before(self, words: str, now: float) -> None:
        """An earlier run has left a pause: this one begins with a question."""
        self.since, self.words, self.next_at = now, words, now

    def _fall_sick(self, words: str, retry_after: float | None, now: float, chance: float) -> None:
        self.since, self.words = now, words
        self._wait, self._photos, self._probe = 1.0, 0, None
        self._put_off(retry_after, now, chance)

    def _lengthen(self, end: Ended, now: float, chance: float) -> None:
        """Another photo was sent into the pause, or was in flight when it began."""
        self.words = end.words
        if end.task_id != self._probe:
            return
        self._probe = None
        self._photos += 1
        self.spent_photos += end.is_in_doubt
        if self.most_photos is not None:
            self.gave_up = self._photos >= self.most_photos
            self.next_at = now + 1.0
        elif now >= self.gives_up_at():
            self.gave_up = True
        else:
            self._put_off(end.retry_after, now, chance, doubles=True)

    def _put_off(self, retry_after: float | None, now: float, chance: float, *, doubles: bool = False) -> None:
        """Look again after a wait; give up if the server asks for more time than there is patience."""
        assert self.since is not None
        longest = QUICK_WAIT if now - self.since < SLOW_AFTER else SLOW_WAIT
        if doubles:
            self._wait = min(longest, self._wait * 2)
        if now + (retry_after or 0.0) > self.gives_up_at() and retry_after:
            self.gave_up = True
            return
        # Half the wait at least: a look that comes at once tells nothing.
        wait = max(self._wait * (0.5 + chance / 2), retry_after or 0.0)
        self.next_at = min(now + wait, max(self.gives_up_at(), now + 1.0))

    def may_probe(self, now: float) -> bool:
        """Is it time to look at a sick target? One look at a time."""
        return self.is_sick and self._probe is None and not self.gave_up and now >= self.next_at

    def probing(self, task_id: int = 0) -> None:
        """A look begins with a question (0), and goes on with a photo. ``ended``, ``unwell`` or ``not_probed``
        ends it."""
        self._probe = task_id

    def may_spend(self) -> bool:
        """May a photo be sent into this pause? Not the fourth that would never be sent again."""
        return not (self.sends_once and self.spent_photos >= NEVER_PHOTOS)

    def not_probed(self, now: float) -> None:
        """The question was answered, and there was no photo to send, or its attempt ended by itself."""
        self._probe = None
        self.next_at = now + _SHORT_WAIT

    def left(self, task_id: int, now: float) -> None:
        """An attempt is over. If it was the look at a sick target, and said nothing of it, another photo may go."""
        if self._probe == task_id:
            self.not_probed(now)
