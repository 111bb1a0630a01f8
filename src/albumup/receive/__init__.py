"""The receiving server: what `albumup receive` runs, and what the built-in target `inbox` sends to.

``names`` makes what a client calls things safe to be files, ``album`` keeps one folder of photos
and the index of their digests, ``parts`` are photos on their way in, ``folders`` follows no link,
``together`` shares fsyncs, ``store`` takes photos in, ``head`` and ``form`` read what a request
says, ``faults`` decides what shall go wrong, ``connections`` how many may come, ``line`` is one of
them, ``server`` and ``handler`` speak HTTP.
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
