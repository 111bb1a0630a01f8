"""Bytes on the wire: the only package that knows requests, urllib3, httptools and sockets.

A photo is sent by :class:`albumup.transfer.connection.Connection`, which keeps one
:class:`albumup.transfer.wire.Wire` from photo to photo: a socket that urllib3 connected (proxies, TLS) and that
the loop waits for. It is written to directly: ready-made heads, sendfile on plain HTTP, 1 MiB blocks over TLS,
small bodies in one go. llhttp reads the answers (:class:`albumup.transfer.answers.Incoming`). Everything that is
not a photo goes through :class:`albumup.transfer.http.Http`, plain requests, in a helper's thread. Neither
follows redirects, retries, keeps cookies, reads netrc, or takes a 1xx for an answer (RFC 9110 section 15.2).

What is here are the values that go in and come out; the rest is imported by who sends something, for it takes a while.
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
