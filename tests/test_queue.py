"""What is sent next: an album that is put on hold while tasks are looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from test_upstream import make_task, upstream_with

from albumup.journal.rows import Album, Body, Task
from albumup.photos.pins import Pins
from albumup.uploader.queue import Queue
from albumup.uploader.slot import Slot
from albumup.uploader.upstream import Upstream
from albumup.uploader.world import World


class Commits:
    """Looks up a task of the album 1, whatever is asked, until ``meanwhile`` has happened once."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile, self.asked = meanwhile, 0

    async def read(self, _: object) -> list[Task]:
        self.asked += 1
        if self.asked > 1:
            return []
        self._meanwhile()
        pins = Pins(9, 1, 1)
        body = Body(b"", b"", "b", "text/plain", 9, pins, {}, None, None, None)
        return [replace(make_task(5, "IMG_5.JPG"), body=body)]

    do = read


def queue_with(meanwhile: Callable[[Queue], None]) -> tuple[Queue, Upstream, Commits]:
    commits: Any = Commits(lambda: meanwhile(queue))
    world: Any = World(None, None, chance=lambda: 0.5)  # type: ignore[arg-type]
    queue = Queue(commits, 1, world, lambda: 0.0)
    upstream = upstream_with()
    queue.upstreams["club"] = upstream
    queue.albums[1] = Album(1, "trip", "club", False)
    return queue, upstream, commits


def stop(queue: Queue) -> None:
    queue.stopped.add(1)


def next_of(queue: Queue) -> Task | None:
    """The next task within a few turns of the loop; None: there is none."""

    async def ask() -> Task | None:
        asking = asyncio.ensure_future(queue.next(queue.slots[0]))
        for _ in range(10):
            await asyncio.sleep(0)
        if not asking.done():
            asking.cancel()
            return None
        found = asking.result()
        return found[1] if found is not None else None

    return asyncio.run(ask())


def test_what_is_ready_is_handed_out() -> None:
    queue, _, _ = queue_with(lambda _: None)
    found = next_of(queue)
    assert found is not None
    assert found.id == 5


def test_a_task_whose_album_is_stopped_meanwhile_is_not_reserved() -> None:
    queue, upstream, commits = queue_with(stop)
    assert next_of(queue) is None
    assert not upstream.reserved
    assert commits.asked == 2, "others may be ready"


def test_none_is_drawn_of_an_album_that_is_stopped_meanwhile() -> None:
    def drawn(meanwhile: Callable[[Queue], None]) -> Task | None:
        queue, upstream, _ = queue_with(meanwhile)
        upstream.breaker.unwell("502", None, 0.0, 1.0)
        return asyncio.run(queue.draw(upstream, Slot()))

    assert drawn(lambda _: None) is not None
    assert drawn(stop) is None


def test_of_too_many_slots_the_idle_ones_end_first() -> None:
    queue, _, _ = queue_with(lambda _: None)
    queue.set_jobs(4)
    queue.slots[2].task_id = 5
    assert queue.set_jobs(1) == []
    assert [slot.is_over for slot in queue.slots] == [True, True, False, True]
    new = queue.set_jobs(6)
    assert queue.slots[4:] == new
    assert not any(slot.is_over for slot in queue.slots)
