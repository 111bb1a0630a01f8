"""Makes names in a folder durable; threads that come together share one fsync."""

from __future__ import annotations

import os
import threading


class _Round:
    """One fsync, and how it ended."""

    def __init__(self) -> None:
        self.is_over = False
        self.error: OSError | None = None


class SharedFsync:
    """Fsyncs of one folder. Threads that come while one runs wait for the next, and share it,
    because the running one may have missed their changes."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_running = False
        self._next = _Round()

    def fsync(self, folder: int) -> None:
        """Make changes in the open ``folder`` durable; each call is about the same folder.

        Raises OSError, in all threads that share an fsync that fails.
        """
        with self._changed:
            mine = self._next
            self._changed.wait_for(lambda: mine.is_over or not self._is_running)
            if mine.is_over:
                if mine.error is not None:
                    raise OSError(mine.error.errno, mine.error.strerror)
                return
            self._is_running = True
            self._next = _Round()
        mine.error = OSError(0, "an fsync did not end")
        try:
            os.fsync(folder)
            mine.error = None
        except OSError as error:
            mine.error = error
            raise
        finally:
            with self._changed:
                self._is_running = False
                mine.is_over = True
                self._changed.notify_all()
