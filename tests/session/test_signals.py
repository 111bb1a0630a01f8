"""The grace of signals."""

from __future__ import annotations

import signal

from albumup.session.signals import GRACE, grace_over


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_shutdown_gives_what_is_at_work_its_grace() -> None:
    heard, clock = [signal.SIGTERM], Clock()
    is_over = grace_over(heard, clock)
    clock.now += 60
    assert not is_over(), "that signal came before"
    heard.append(signal.SIGTERM)
    assert not is_over()
    clock.now += GRACE[signal.SIGTERM] - 0.5
    assert not is_over()
    clock.now += 1
    assert is_over()


def test_nobody_who_waits_gives_grace() -> None:
    heard: list[int] = []
    is_over = grace_over(heard, Clock())
    heard += [signal.SIGTERM]
    assert not is_over()
    heard += [signal.SIGTERM]
    assert is_over(), "a second signal"
    heard.clear()
    is_over = grace_over(heard, Clock())
    heard += [signal.SIGINT]
    assert is_over(), "Ctrl-C"
