"""The receiving server: what `albumup receive` runs, and what the built-in target `inbox` sends to.

``server`` and ``handler`` speak HTTP, ``line`` is one connection, and ``connections`` limits their
number. ``head`` and ``form`` read requests. ``store`` takes photos in; ``parts`` are photos on
their way. ``album`` keeps one folder of photos and an index of their digests. ``names`` makes file
names of a client's names, ``no_links`` opens folders without following links, ``together`` shares
fsyncs. ``faults`` are faults on purpose.
"""

from __future__ import annotations

from albumup.receive.faults import Faults, parse_faults
from albumup.receive.names import album_folder_name
from albumup.receive.server import Receiver, is_loopback, serve
from albumup.receive.store import Store, Stored, Tally, store_id

__all__ = [
    "Faults",
    "Receiver",
    "Store",
    "Stored",
    "Tally",
    "album_folder_name",
    "is_loopback",
    "parse_faults",
    "serve",
    "store_id",
]
