"""Limits the connections, in all and by address; strangers never keep clients with a token out."""

from __future__ import annotations

import contextlib
import ipaddress
import resource
import socket
import threading
from collections import Counter

MOST = 1024
MOST_OF_ONE_ADDRESS = 256
"""Enough for a household behind one address: an uploader sends 64 photos at once at most."""


class Connections:
    """The open connections of a receiver, for many threads. Each waits for a request, or serves
    one."""

    def __init__(self, most: int = MOST, most_of_one_address: int = MOST_OF_ONE_ADDRESS) -> None:
        self._most, self._most_of_one = min(most, _half_of_descriptors()), most_of_one_address
        self._changed = threading.Condition()
        self._networks: dict[socket.socket, str] = {}
        self._held: Counter[str] = Counter()
        self._waiting: dict[socket.socket, None] = {}
        """Connections that wait for a whole request with the right token, the longest first."""
        self._known: set[socket.socket] = set()
        """Connections that have brought such a request."""
        self._crowded: set[socket.socket] = set()
        """Connections too many of one address."""

    def come(self, connection: socket.socket, host: str) -> bool:
        """Take in a connection from the address ``host``; False if there is no room.

        An idle connection makes room: the one that has waited longest, strangers first. If all
        connections of an address are busy, one more is taken in, but not served.
        """
        network = network_of(host)
        with self._changed:
            has_room = len(self._networks) < self._most or self._drop(None)
            if not has_room:
                return False
            is_one_too_many = self._held[network] >= self._most_of_one and not self._drop(network)
            self._networks[connection] = network
            self._held[network] += 1
            self._waiting[connection] = None
            if is_one_too_many:
                self._crowded.add(connection)
        return True

    def waits(self, connection: socket.socket) -> None:
        """Note that the connection waits for its next request."""
        with self._changed:
            if connection in self._networks:
                self._waiting.pop(connection, None)
                self._waiting[connection] = None

    def works(self, connection: socket.socket) -> bool:
        """Note that the connection has brought a request; False if it may not be served, because
        its address has too many."""
        with self._changed:
            if connection in self._crowded:
                return False
            self._waiting.pop(connection, None)
            self._known.add(connection)
            return True

    def gone(self, connection: socket.socket) -> None:
        """Note that the connection is closed."""
        with self._changed:
            self._forget(connection)
            self._changed.notify_all()

    def drop_idle(self) -> bool:
        """End the connection that has waited the longest. False if none waits."""
        with self._changed:
            return self._drop(None)

    def _drop(self, network: str | None) -> bool:
        """End an idle connection. It counts no more, although its thread has yet to see its end."""
        waiting = [one for one in self._waiting if network in (None, self._networks[one])]
        if not waiting:
            return False
        longest = next((one for one in waiting if one not in self._known), waiting[0])
        with contextlib.suppress(OSError):
            longest.shutdown(socket.SHUT_RDWR)
        self._forget(longest)
        return True

    def _forget(self, connection: socket.socket) -> None:
        network = self._networks.pop(connection, None)
        self._waiting.pop(connection, None)
        self._known.discard(connection)
        self._crowded.discard(connection)
        if network is not None:
            self._held[network] -= 1
            if not self._held[network]:
                del self._held[network]

    def end_all(self, grace: float) -> None:
        """Half-close all connections: no more bytes come in, but answers may still go out. Then
        close those that are left.

        Each step takes ``grace`` seconds at most.
        """
        for how in (socket.SHUT_RD, socket.SHUT_RDWR):
            with self._changed:
                for connection in self._networks:
                    with contextlib.suppress(OSError):
                        connection.shutdown(how)
                self._changed.wait_for(lambda: not self._networks, timeout=grace)


def network_of(host: str) -> str:
    """The household of an address: the IPv4 address, or the first 64 bits of the IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _half_of_descriptors() -> int:
    """A number that leaves half of this process's descriptors for files."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if soft == resource.RLIM_INFINITY else max(8, soft // 2)
