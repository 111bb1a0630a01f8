"""What is fixed in the process of a command that makes a screen, before it begins."""

from __future__ import annotations

import fcntl
import functools
import os
import random
import socket
import sys
import termios
from dataclasses import replace
from typing import Any

NOT_OURS = "192.0.2.10"
"""An address for documentation (RFC 5737): of no computer, so not of this one."""


def set_up(given: dict[str, Any]) -> None:
    """``given``: ``hosts`` (name -> local port), ``took`` (seconds of a run), ``pid``, ``seed``,
    ``terminal`` (whether the streams are one, to be this session's own), ``bars`` (which parts of
    the uploads in flight have left)."""
    random.seed(given["seed"])
    random.Random = functools.partial(random.Random, given["seed"])  # type: ignore[misc, assignment]
    if given["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    _wait_for_nothing()
    _name_hosts(given["hosts"])
    _fix_times(given["took"])
    if given["bars"]:
        _fix_bars(given["bars"])
    _forget_what_is_in_memory()
    os.getpid = lambda: given["pid"]


def _wait_for_nothing() -> None:
    """Between two tries of a photo, which is a random part of a time that doubles: none of it."""
    from albumup.uploader import engine_thread

    real = engine_thread.this_world
    engine_thread.this_world = lambda: replace(real(), chance=lambda: 0.0)


def _name_hosts(hosts: dict[str, int]) -> None:
    real = socket.getaddrinfo
    socket.gethostname = lambda: "nas.local"

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host not in hosts:
            return real(host, port, *rest, **more)
        if more.get("type") == socket.SOCK_DGRAM:  # asked whether it is this computer
            return real(NOT_OURS, port, *rest, **more)
        return real("127.0.0.1", hosts[host], *rest, **more)

    socket.getaddrinfo = getaddrinfo


def _fix_times(took: float) -> None:
    from albumup.uploader.options import RunEnd

    begin = RunEnd.__init__

    def __init__(self: RunEnd, *values: Any, **named: Any) -> None:
        begin(self, *values, **{**named, "seconds": took})

    RunEnd.__init__ = __init__  # type: ignore[method-assign]


def _fix_bars(shares: list[float]) -> None:
    """Of the photos in flight, by name, these shares have left; at rates as on a good evening."""
    from albumup.cli import bars
    from albumup.uploader.engine import Engine
    from albumup.uploader.events import Progress

    real = Engine.progress

    def progress(self: Engine) -> Progress:
        now = real(self)
        found = sorted((one for one in now.uploads if one), key=lambda one: one.name)
        uploads = [
            replace(one, moved=int(one.size * share))
            for one, share in zip(found, shares, strict=False)
        ]
        moved = sum(one.moved for one in uploads) - sum(one.moved for one in found)
        slots = (*uploads, *[None] * (len(now.uploads) - len(uploads)))
        return replace(now, uploads=slots, bytes_done=now.bytes_done + moved)

    Engine.progress = progress  # type: ignore[method-assign]
    bars.Rate.value = lambda self: 9.1e6 if self._notes[-1][1] > 9e6 else 2.4e6  # type: ignore[method-assign]


def _forget_what_is_in_memory() -> None:
    """Whether a file system remembers what was read is its own affair."""
    from albumup import disk

    disk._is_remembered = lambda *_: False


if __name__ == "__main__":  # the command of a line with more than one in it
    import json

    set_up(json.loads(os.environ.pop("ALBUMUP_SCREEN")))
    sys.argv[0] = "albumup"
    from albumup.__main__ import main

    main()
