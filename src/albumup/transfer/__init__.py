"""Bytes on the wire: the only package that knows requests, urllib3, httptools and sockets.

:class:`albumup.transfer.connection.Connection` sends photos. It keeps one
:class:`albumup.transfer.wire.Wire` from photo to photo: a socket that a helper thread connects and
the event loop watches. Bodies are written to the socket directly: ready-made heads, sendfile on
plain HTTP, 1 MiB blocks over TLS, small bodies in one go. llhttp parses the answers
(:class:`albumup.transfer.answers.Incoming`). All other requests go through
:class:`albumup.transfer.http.Http`, which uses requests, in a helper thread. Neither of the two
follows redirects, retries, keeps cookies, reads netrc, or takes a 1xx for an answer (RFC 9110
section 15.2).

This module exports only the values that go in and out. Import the senders where they are used:
loading them is slow.
"""

from __future__ import annotations

from albumup.transfer.values import (
    BLOCK,
    MOST_ANSWER,
    Answer,
    Fault,
    Meter,
    Payload,
    Peer,
    Request,
    Sent,
    Throttle,
    Unreadable,
    retry_after,
)

__all__ = [
    "BLOCK",
    "MOST_ANSWER",
    "Answer",
    "Fault",
    "Meter",
    "Payload",
    "Peer",
    "Request",
    "Sent",
    "Throttle",
    "Unreadable",
    "retry_after",
]
