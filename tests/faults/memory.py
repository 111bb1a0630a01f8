"""Peak memory of an uploader with a short and with a long queue: the two should hardly differ.

    python tests/faults/memory.py --tasks 200000

The queue is written into the journal directly (hard links to one tiny photo, all prepared), then
the real command sends some of it to a fast server on this machine and is stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import sys
import tempfile
import time

from kill_loop import TARGET, Command, Loop

from albumup.journal.journal import Journal
from albumup.journal.rows import Body
from albumup.journal.staging import Action, Arrival, RootFound, Staging, add_album
from albumup.photos.cards import Medium
from albumup.photos.pins import read_pins
from albumup.targets.multipart import frame, new_boundary

FEW = 1000
_LINKS = 30_000
"""Hard links to one file; ext4 allows 65,000."""
_PATIENCE = 120.0
_PHOTO = b"\xff\xd8\xff\xe0\0\x10JFIF\0".ljust(100, b"\0")


def fill(journal: Journal, folder: str, album: str, count: int) -> None:
    """Queue ``count`` photos below ``folder`` as a push would have, and prepare them all as the
    preparer would have."""
    staging = Staging(journal)
    pins = []
    for number in range(count):
        name = f"DSC_{number:06}.JPG"
        path = os.path.join(folder, name)
        if number % _LINKS == 0:
            with open(path, "wb") as file:
                file.write(_PHOTO)
            first = path
        else:
            os.link(first, path)
        pins.append(read_pins(os.stat(first)))
        found = os.fsencode(path), Medium("", 0), os.fsencode(name), "image/jpeg", pins[-1], ""
        staging.add(Arrival(Action.NEW, 0, 0, *found))
    root = RootFound(os.fsencode(folder), "", 0, True)
    boundary = new_boundary()
    framed = frame([], "file", "NAME", "image/jpeg", boundary)
    digests = {"sha256": hashlib.sha256(_PHOTO).hexdigest()}
    with journal.transaction():
        album_id = add_album(journal, album, TARGET, None)
        staging.take_in(album_id, [root], spool=False)
        for number, row in enumerate(journal.rows("select id from task order by id")):
            name = f"DSC_{number:06}.JPG"
            head = framed.head.replace(b"NAME", name.encode())
            length = len(head) + len(_PHOTO) + len(framed.tail)
            body = Body(
                head,
                framed.tail,
                boundary,
                framed.content_type,
                length,
                pins[number],
                digests,
                None,
                spool=None,
            )
            journal.name_photo(row["id"], album_id, lambda _, name=name: name)  # type: ignore[misc]
            journal.prepared(row["id"], body, name)


def peak_of_resume(folder: str, tasks: int, accepted: int) -> int:
    """Peak resident bytes of a resume with that many photos waiting, stopped once ``accepted`` were
    taken."""
    links = os.path.join(folder, "links")
    os.makedirs(links)
    loop = Loop(folder, seed=1)
    loop.server.weather.calm = True
    journal = Journal(loop.journal)
    fill(journal, links, "trip", tasks)
    journal.close()
    command = loop.start("resume")
    try:
        peak = _peak(loop, command, accepted)
    finally:
        command.kill()
        loop.server.close()
    assert command.process.returncode in (0, 130), command.said()
    assert len(loop.server.holdings()) == 1  # all have the same bytes
    return peak


def _peak(loop: Loop, command: Command, accepted: int) -> int:
    """The kernel's high-water mark until the process is gone. (getrusage would count our own size
    before the exec.)"""
    peak, stopped, deadline = 0, False, time.monotonic() + _PATIENCE
    while command.process.poll() is None:
        with open(f"/proc/{command.process.pid}/status") as file:
            marks = [int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:")]
        peak = max(peak, *marks, 0)
        if loop.server.bell.wait_until("answered", accepted, 0.005):
            if not stopped:
                command.process.send_signal(signal.SIGINT)
                stopped = True
            time.sleep(0.005)
        assert time.monotonic() < deadline, f"too few were accepted: {command.said()}"
    return peak


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument(
        "--accepted", type=int, default=300, help="stop when the server has taken so many"
    )
    given = parser.parse_args()
    for tasks in (FEW, given.tasks):
        with tempfile.TemporaryDirectory(prefix="albumup-memory-") as folder:
            peak = peak_of_resume(folder, tasks, given.accepted)
            print(f"{tasks} photos waiting: at most {peak / 1e6:.1f} MB resident", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
