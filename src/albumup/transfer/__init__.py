"""Bytes on the wire: the only package that knows requests, urllib3 and sockets.

A photo is sent by :class:`albumup.transfer.wire.Wire`: one connection of one worker, taken from urllib3 (proxies, TLS)
and written to directly: ready-made heads, sendfile on plain HTTP, 1 MiB blocks over TLS, and what is small in one go.
Plain answers are read here, any other by http.client. Everything that is not a photo goes through
:class:`albumup.transfer.http.Http`, plain requests. Neither follows redirects, retries, keeps cookies, reads netrc, or
takes a 1xx for an answer (RFC 9110 section 15.2).

What is here are the values that go in and come out; the rest is imported by who sends something, for it takes a while.
"""

from __future__ import annotations

from albumup.transfer.values import BLOCK, MOST_ANSWER, Answer, Fault, Meter, Peer, Request, Sent, Throttle, retry_after

__all__ = ["BLOCK", "MOST_ANSWER", "Answer", "Fault", "Meter", "Peer", "Request", "Sent", "Throttle", "retry_after"]
