"""Libraries complain of broken files to whoever listens, and with nobody there to hear it that is the terminal."""

from __future__ import annotations

import logging
import warnings


def hush(library: str) -> None:
    """A broken file is no news: neither warnings nor log lines of that library are shown from now on.

    To be called before each reading: whatever thread leaves ``warnings.catch_warnings`` takes away what was set since
    it came in.
    """
    # A warning may be put down to whoever called the library, too.
    warnings.filterwarnings("ignore", module=rf"({library}|albumup\.photos\.metadata)(\.|$)")
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)
