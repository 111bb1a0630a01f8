"""Keeps libraries from complaining about broken files on the terminal, where warnings and logs go
by default."""

from __future__ import annotations

import logging
import warnings


def hush(library: str) -> None:
    """Show neither warnings nor log lines of a library from now on.

    To be called before each reading: a thread that leaves ``warnings.catch_warnings`` undoes
    filters set meanwhile.
    """
    # Warnings may also be attributed to the caller of the library.
    warnings.filterwarnings("ignore", module=rf"({library}|albumup\.photos\.metadata)(\.|$)")
    logging.getLogger(library).setLevel(logging.CRITICAL + 1)
