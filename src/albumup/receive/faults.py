"""Faults on purpose, with which anybody can rehearse the worst with their own photos.

A plan is written as ``drop=5%,stall=0.02,503=#3+5,lost-answer=once``: a share of the requests with
photos, or the numbers of such requests, counted from 1.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from albumup.config.template import nearest

KINDS = {
    "drop": "the connection is reset in the middle of the body",
    "stall": "reading stops in the middle of the body, and nothing more is said",
    "lost-answer": "the photo is stored and the connection reset instead of an answer",
    "cut-answer": "the photo is stored and the answer breaks off",
    "garbage": "nothing is stored and the answer is not HTTP",
    "page": "nothing is stored and a captive portal's page comes with status 200",
    "slow": "the body is read at 256 KiB/s",
}
SLOW = 256 * 1024  # bytes per second
_ACCEPTED = ", ".join([*KINDS, "or an HTTP status from 400 to 599"])


class Faults:
    """A plan of faults; ``pick`` goes through it, ``counts`` tells how often each was picked. For
    many threads."""

    def __init__(self, shares: Mapping[str, float], turns: Mapping[int, str]) -> None:
        self.counts: Counter[str] = Counter()
        self._shares = dict(shares)
        self._turns = dict(turns)
        self._requests = 0
        self._lock = threading.Lock()

    def pick(self, rng: random.Random) -> str | None:
        """The fault of the next photo's request: a key of KINDS, a status as text, or None."""
        with self._lock:
            self._requests += 1
            fault = self._turns.get(self._requests) or self._by_chance(rng.random())
            if fault is not None:
                self.counts[fault] += 1
            return fault

    def _by_chance(self, throw: float) -> str | None:
        for fault, share in self._shares.items():
            throw -= share
            if throw < 0:
                return fault
        return None


def parse_faults(text: str) -> Faults:
    """Read a plan such as ``drop=5%,503=#3``. Raises ValueError, whose text says how it is
    written."""
    shares: dict[str, float] = {}
    turns: dict[int, str] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        name, _, when = (half.strip() for half in entry.partition("="))
        _check_name(name)
        if when == "once" or when.startswith("#"):
            for turn in _turns(entry, when):
                if turns.setdefault(turn, name) != name:
                    raise ValueError(
                        f"photo request {turn} cannot have both {turns[turn]} and {name}"
                    )
        elif name in shares:
            raise ValueError(f"{name} has two shares")
        else:
            shares[name] = _share(entry, when)
    if sum(shares.values()) > 1 + 1e-9:
        raise ValueError(f"the shares add up to {sum(shares.values()):.0%}, more than all requests")
    return Faults(shares, turns)


def _check_name(name: str) -> None:
    if name in KINDS or re.fullmatch("[45][0-9][0-9]", name):
        return
    meant = nearest(name, KINDS)
    suggestion = f", did you mean {meant!r}?" if meant else "."
    raise ValueError(f"there is no fault {name!r}{suggestion} Faults: {_ACCEPTED}")


def _turns(entry: str, when: str) -> list[int]:
    if when == "once":
        return [1]
    if not re.fullmatch(r"#[1-9][0-9]{0,8}(\+[1-9][0-9]{0,8})*", when):
        raise ValueError(
            f"in {entry!r} the requests are to be written as #3 or #3+5, counted from 1"
        )
    return [int(turn) for turn in when[1:].split("+")]


def _share(entry: str, when: str) -> float:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(%?)", when)
    if found is not None:
        share = float(found[1]) / (100 if found[2] else 1)
        if share <= 1:
            return share
    raise ValueError(
        f"in {entry!r} write a share (5% or 0.05), 'once', or requests by number (#3 or #3+5)"
    )


def paced(
    blocks: Iterable[bytes],
    rate: float,
    clock: Callable[[], float],
    wait: Callable[[float], object],
) -> Iterator[bytes]:
    """``blocks`` at ``rate`` bytes per second: after each block, ``wait(seconds)`` is called."""
    start, taken = clock(), 0
    for block in blocks:
        yield block
        taken += len(block)
        wait(max(0.0, start + taken / rate - clock()))
