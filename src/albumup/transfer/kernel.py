"""Asks the kernel about a connection: its room, its end, and how many bytes have arrived."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import select
import socket
import struct
import sys
import termios
from collections.abc import Callable
from functools import partial

_SO_NWRITE = 0x1024
"""Bytes in the sending queue (macOS: sys/socket.h)."""
_ACKED_AT = 120
"""Where tcpi_bytes_acked is in struct tcp_info (Linux 4.1: linux/tcp.h)."""


def room(connection: socket.socket) -> int:
    """Bytes that the kernel surely takes at once on an idle connection.

    That is half its buffer; the other half is for bookkeeping (Linux: socket(7), SO_SNDBUF).
    """
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2


def cork(connection: socket.socket, on: bool) -> None:
    """Hold back segments that are not full (Linux: tcp(7), TCP_CORK)."""
    if hasattr(socket, "TCP_CORK"):
        with contextlib.suppress(OSError):  # the next send reports it
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)


def ear_of(descriptor: int) -> Callable[[], object]:
    """A function that is true when the connection is readable: bytes have come, or its end. So is a
    closed one."""
    ear = select.poll()
    ear.register(descriptor, select.POLLIN)
    return partial(ear.poll, 0)


def unacked(connection: socket.socket) -> int:
    """Bytes that the kernel took and the peer has not acknowledged; 0 if the kernel is silent.

    Linux: tcp(7), SIOCOUTQ; macOS: SO_NWRITE. TLS holds no further bytes back: it hands over whole
    records.
    """
    try:
        if sys.platform == "darwin":
            return connection.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0"), sys.byteorder)
    except (OSError, AttributeError, ValueError):
        return 0


def acked(connection: socket.socket) -> int | None:
    """Bytes that the peer has acknowledged since the connection was made; also known after a reset.

    None where the kernel does not say (Linux: tcp(7), TCP_INFO).
    """
    if sys.platform != "linux":
        return None
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AT + 8)
        return int(struct.unpack_from("Q", told, _ACKED_AT)[0])
    except (OSError, struct.error):
        return None


def has_address(connection: socket.socket) -> bool:
    """Does this computer still have the address that a connection goes out from?

    It is gone after a move to another network; a socket can be bound to own addresses alone. True
    where nobody can tell.
    """
    try:
        own = connection.getsockname()
        with socket.socket(connection.family, socket.SOCK_DGRAM) as probe:
            probe.bind((own[0], 0, *own[2:]))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


_SOMEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that nobody has (RFC 5737, RFC 3849): connecting a datagram socket sends nothing."""


def has_network() -> bool:
    """Does any way lead out of this computer?"""
    for family, somewhere in _SOMEWHERE.items():
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((somewhere, 9))
            return True
    return False


def half_close(connection: socket.socket) -> None:
    """Shut down sending, and go on receiving. This bypasses TLS, whose shutdown would end both."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_WR)


def abort(connection: socket.socket) -> None:
    """Make the close a reset, which drops the bytes still in the queue."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
