"""What the program takes from outside without being handed it: held still, and noted, while a story
is played."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import albumup.photos.volumes
import albumup.session.late
import albumup.session.notifying
import albumup.session.others
import albumup.transfer.connection
import albumup.uploader.albums
import albumup.uploader.engine
import albumup.uploader.reconcile

if TYPE_CHECKING:
    from simulation.scene import Scene


_WAITS_FOR_A_WRITING = "albumup.session.snapshot", "sleep"
"""Who reads a torn snapshot reads it again, milliseconds later."""


@contextmanager
def held_still(scene: Scene) -> Iterator[None]:
    """Clocks, secrets, volumes and fsync are the story's own. A module of albumup that looks at a
    clock by itself is noted in ``scene.leaks``."""
    chance = scene.chance.of("engine")
    was_time, was_monotonic, was_sleep = time.time, time.monotonic, time.sleep

    def noted(name: str, real: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
        def look(*args: Any) -> Any:
            caller = sys._getframe(1)
            module = caller.f_globals.get("__name__", "")
            if not module.startswith("albumup."):
                return real(*args)
            if (module, name) == _WAITS_FOR_A_WRITING:
                return None
            scene.leaks.add(f"{module}: time.{name}")
            return ours(*args)

        return look

    def kill(pid: int, _: int) -> None:
        if not scene.is_alive(pid):
            raise ProcessLookupError

    keys = scene.chance.of("keys")

    def perf_counter() -> float:
        """How long commits take is the story's to say."""
        scene.took += scene.commit_seconds()
        return scene.took

    replaced: list[tuple[Any, str, Any]] = [
        (time, "time", noted("time", was_time, scene.clock)),
        (time, "monotonic", noted("monotonic", was_monotonic, scene.loop.time)),
        (time, "sleep", noted("sleep", was_sleep, lambda _: None)),
        (time, "perf_counter", perf_counter),
        (secrets, "token_hex", lambda count=32: f"{chance.getrandbits(8 * count):0{2 * count}x}"),
        (
            os,
            "fsync",
            lambda file: scene.disk.fsync(file if isinstance(file, int) else file.fileno()),
        ),
        (os, "kill", kill),
        (os, "urandom", lambda count: keys.randbytes(count)),
        (os, "getpid", lambda: scene.life.pid if scene.life is not None else 1),
        (albumup.session.notifying, "hand_over", scene.channel.hand_over),
        (albumup.session.late, "is_locked", lambda _: scene.is_locked),
        (albumup.session.others, "is_locked", lambda _: scene.is_locked),
        (albumup.transfer.connection, "proxy_for", lambda _: None),
        (albumup.uploader.engine, "TICK", scene.plan.tick),
        (albumup.uploader.albums, "_LOOK_SECONDS", scene.plan.tick),
        (albumup.uploader.reconcile, "_LOOK_SECONDS", scene.plan.tick),
        (albumup.photos.volumes, "_uuid_of", lambda *_: scene.photos.volume),
        (albumup.photos.volumes, "mount_of", lambda _: (scene.file_system, "")),
    ]
    before = [(where, name, getattr(where, name)) for where, name, _ in replaced]
    for where, name, ours in replaced:
        setattr(where, name, ours)
    try:
        yield
    finally:
        for where, name, real in before:
            setattr(where, name, real)
