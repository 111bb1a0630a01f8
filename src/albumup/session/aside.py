"""Runs work that may hang on a disk or a network folder in another thread than the one that handles
signals.

Python runs signal handlers in the main thread only, between two bytecodes. A main thread that hangs
in a system call would never handle Ctrl-C. So the main thread only waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_LOOK = 0.25


def aside(
    function: Callable[..., T], *args: Any, meanwhile: Callable[[], None] = lambda: None
) -> T:
    """Run ``function(*args)`` in a daemon thread, and return or raise what it does.

    ``meanwhile`` is called here a few times a second until then. Outside the main thread the
    function is just called.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*args)
    done = threading.Lock()
    returned: list[T] = []
    raised: list[BaseException] = []

    def work() -> None:
        try:
            returned.append(function(*args))
        except BaseException as error:  # noqa: BLE001 - the caller's thread raises it again
            raised.append(error)
        finally:
            done.release()

    done.acquire()
    thread = threading.Thread(target=work, name="aside", daemon=True)
    thread.start()
    while not done.acquire(timeout=_LOOK):
        meanwhile()
    thread.join()
    if raised:
        raise raised[0]
    return returned[0]
