"""A target's circuit breaker: was a failure the photo's fault or the target's? Pure state.

A photo that was neither taken nor refused costs a try, unless the target turns out to be sick: then
the try is given back. So a proxy that answers 502 for two days costs no photo a try, while a photo
that makes its server fail is found. docs/design.md explains the rule. Times are monotonic seconds.
Nothing here sleeps, asks the server, or uses a journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from albumup.retry import Spent

QUICK_WAIT = 60.0
"""The most seconds between looks at a sick target, in the first ten minutes of a pause."""
SLOW_AFTER = SLOW_WAIT = 600.0
_SHORT_WAIT = 0.25
"""Seconds until the next look at a target that answered when there was no photo to send."""
MOST_BACK = {Spent.WHOLE: 3, Spent.CUT: 10, Spent.TOO_MANY: 10}
"""The most attempts of one photo that are ever given back."""
CRON_PHOTOS = 3
"""The most photos that a run without patience sends during a pause."""
NEVER_PHOTOS = 3
"""The most photos sent during a pause to a target that is never sent a photo twice."""
SAME_REFUSALS = 3
_SETTLES = 30.0
"""Seconds after a sleep in which a target is not given up: the network needs a moment, too."""


@dataclass(frozen=True, slots=True)
class Counts:
    """A photo's used ``tries`` of the present set, and how many attempts were ever given back, by
    reason."""

    tries: int = 0
    whole: int = 0
    cut: int = 0
    too_many: int = 0

    def back(self, spent: Spent) -> int:
        return {Spent.WHOLE: self.whole, Spent.CUT: self.cut, Spent.TOO_MANY: self.too_many}[spent]


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that was neither taken nor refused.

    ``is_well``: the target answered a question without a photo. ``is_portal``: the answer looked
    like a portal's. ``is_in_doubt``: the photo may have arrived. ``is_alone``: nothing else was in
    flight. ``retry_after``: seconds that the server asked for.
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
    """The breaker's decision about an attempt.

    ``given_back``: the attempt costs no try. ``refunds``: earlier tries that are given back now, by
    task. ``is_held``: it was the last try of its set, and the next outcomes will show whose fault
    it was.
    """

    given_back: bool
    refunds: tuple[tuple[int, Spent], ...] = ()
    is_held: bool = False


@dataclass(slots=True)
class Breaker:
    """The circuit breaker of one target.

    ``patience`` in seconds; ``retries`` as in the rules; ``most_photos`` to send during a pause,
    None for no limit. ``sends_once``: the target's rule is ``resend = "never"``, and it cannot be
    asked.
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
    """Photos left in doubt by pauses since one was accepted, across runs."""
    accepted_at: float = float("-inf")
    _wait: float = 1.0
    _photos: int = 0
    _asked_for: float = 0.0
    """Until when the server asked to be left alone."""
    _settled_at: float = float("-inf")
    """When the network should be there again after a sleep."""
    _charged: list[tuple[int, Spent]] = field(default_factory=list)
    """Tries that were charged since a photo was last accepted."""
    _witnesses: set[int] = field(default_factory=set)
    """Witnesses in a row that were neither taken nor refused."""
    _probe: int | None = None
    """The task of the photo sent during a pause; 0 while the question before it is under way."""

    @property
    def is_sick(self) -> bool:
        return self.since is not None

    def gives_up_at(self) -> float:
        """When patience ends; only meaningful in a pause."""
        return (self.since or 0.0) + self.patience

    def accepted(self, now: float) -> None:
        """Note that a photo was taken: the target is well, and the charged tries were the photos'
        own fault."""
        self.proven = True
        self.accepted_at = now
        self.spent_photos = 0
        self.refused()

    def refused(self) -> None:
        """Note that a photo was refused for what it is: the target is well."""
        self.since = None
        self._photos = 0
        self._wait = 1.0
        self._charged.clear()
        self._witnesses.clear()
        self._probe = None

    def ended(self, end: Ended, now: float, chance: float) -> Ruling:
        """Judge an attempt neither taken nor refused. ``chance`` in [0, 1) spreads the waits."""
        is_only = end.is_alone or self.jobs == 1
        if end.spent is Spent.TOO_MANY:
            self.jobs = max(1, self.jobs - 1)
        may_return = end.counts.back(end.spent) < MOST_BACK[end.spent]
        others_went = self.accepted_at > end.began
        is_too_many = end.spent is Spent.TOO_MANY and may_return and end.is_well
        if is_too_many and not self.is_sick and (others_went or not is_only):
            return Ruling(given_back=True)
        if end.counts.tries == 0 and not others_went:
            self._witnesses.add(end.task_id)
        if not self.is_sick and not self._shows_sickness(end, may_return, others_went):
            return self._charge(end)
        refunds = self._refunds(end.task_id)
        if self.is_sick:
            self._lengthen(end, now, chance)
        else:
            self._fall_sick(end.words, end.retry_after, now, chance)
        if may_return:
            return Ruling(given_back=True, refunds=refunds)
        # No more is given back, even if the target is sick.
        return Ruling(given_back=False, refunds=refunds)

    def _shows_sickness(self, end: Ended, may_return: bool, others_went: bool) -> bool:
        if not end.is_well:
            return True
        if end.spent is Spent.TOO_MANY and may_return:
            return True  # to the only upload in flight
        is_witness = end.counts.tries == 0 and not others_went
        return is_witness and (end.is_portal or len(self._witnesses) >= 2)

    def _charge(self, end: Ended) -> Ruling:
        self._charged.append((end.task_id, end.spent))
        # ``tries`` beyond ``retries``: held by an earlier run and sent once more, so it is not held
        # again.
        return Ruling(given_back=False, is_held=end.counts.tries == self.retries)

    def _refunds(self, but: int) -> tuple[tuple[int, Spent], ...]:
        refunds = tuple(one for one in self._charged if one[0] != but)
        self._charged.clear()
        self._witnesses.clear()
        return refunds

    def unwell(
        self,
        words: str,
        retry_after: float | None,
        now: float,
        chance: float,
        task_id: int | None = None,
    ) -> None:
        """Note that a question got no good answer, or that ``task_id`` could not get a
        connection."""
        if not self.is_sick:
            self._fall_sick(words, retry_after, now, chance)
            return
        if task_id is not None and task_id != self._probe:
            return  # this photo was on its way when the pause began
        self.words = words
        self._probe = None
        is_over = self.most_photos is not None or now >= self.gives_up_at()
        if is_over and now >= self._settled_at:
            self.gave_up = True
            return
        self._put_off(retry_after, now, chance, doubles=True)

    def woke(self, slept: float, ran_on: float, now: float) -> None:
        """Go on after a sleep of ``slept`` seconds, of which ``now`` has counted ``ran_on``.

        Patience has what it had left before. The next look comes at once, or when the server asked
        for it.
        """
        self._settled_at = now + _SETTLES
        if self.since is not None:
            self.since += ran_on
            self._wait = 1.0
            self.next_at = max(now, self._asked_for - (slept - ran_on))

    def has_just_woken(self, now: float) -> bool:
        """Is this a pause of before a sleep, while the network may not be there again? How long it
        has lasted says nothing yet."""
        woke_at = self._settled_at - _SETTLES
        return self.since is not None and self.since <= woke_at and now < self._settled_at

    def stand_still(self, seconds: float) -> None:
        """Let patience not count the ``seconds`` in which nothing might be sent."""
        if self.since is not None:
            self.since += seconds

    def fell_sick_before(self, words: str, now: float) -> None:
        """Go on with an earlier run's pause, which begins with a question."""
        self.since, self.words, self.next_at = now, words, now

    def _fall_sick(self, words: str, retry_after: float | None, now: float, chance: float) -> None:
        self.since, self.words = now, words
        self._wait, self._photos, self._probe = 1.0, 0, None
        self._put_off(retry_after, now, chance)

    def _lengthen(self, end: Ended, now: float, chance: float) -> None:
        """Go on with a pause after a photo failed that was sent in it, or in flight before."""
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

    def _put_off(
        self, retry_after: float | None, now: float, chance: float, *, doubles: bool = False
    ) -> None:
        """Plan the next look; give up if the server asks for more time than patience allows."""
        assert self.since is not None
        longest = QUICK_WAIT if now - self.since < SLOW_AFTER else SLOW_WAIT
        if doubles:
            self._wait = min(longest, self._wait * 2)
        if now + (retry_after or 0.0) > self.gives_up_at() and retry_after:
            self.gave_up = True
            return
        # At least half the wait: an immediate look would prove nothing.
        wait = max(self._wait * (0.5 + chance / 2), retry_after or 0.0)
        self._asked_for = now + (retry_after or 0.0)
        self.next_at = min(now + wait, max(self.gives_up_at(), now + 1.0))

    def may_probe(self, now: float) -> bool:
        """Is it time to look at a sick target? One look at a time."""
        return self.is_sick and self._probe is None and not self.gave_up and now >= self.next_at

    def probing(self, task_id: int = 0) -> None:
        """Begin a look with a question (0), or go on with a photo. ``ended``, ``unwell`` or
        ``not_probed`` end it."""
        self._probe = task_id

    def may_spend(self) -> bool:
        """May a photo be sent during this pause? No fourth one, if it could never be sent again."""
        return not (self.sends_once and self.spent_photos >= NEVER_PHOTOS)

    def not_probed(self, now: float) -> None:
        """End a look that proved nothing: there was no photo to send, or its attempt ended for
        another reason."""
        self._probe = None
        self.next_at = now + _SHORT_WAIT

    def left(self, task_id: int, now: float) -> None:
        """Note that an attempt is over; after the look at a sick target, another may begin."""
        if self._probe == task_id:
            self.not_probed(now)
