"""Is a server this computer? Judged by its address: a router or tunnel that leads back here stays
unseen."""

from __future__ import annotations

import ipaddress
import os
import socket
from urllib.parse import urlsplit

ROUTES, NETS = "/proc/net/route", "/sys/class/net"


def is_own(url: str) -> bool:
    """Does ``url`` name an address of this computer, or one behind a bridge inside it (containers)?

    Asks the resolver. False for an unknown name.
    """
    try:
        host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, ValueError):
        return False
    return any(_is_own_address(family, address) for family, _, _, _, address in found)


def _is_own_address(family: int, address: tuple[object, ...]) -> bool:
    """Is this an address of our own? A socket can be bound to those alone."""
    ip = ipaddress.ip_address(str(address[0]).partition("%")[0])
    if ip.is_loopback or ip.is_unspecified:
        return True
    mapped = getattr(ip, "ipv4_mapped", None)
    if mapped is not None:
        return _is_own_address(socket.AF_INET, (str(mapped), 0))
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address[0], 0, *address[2:]))
            return True
    except OSError:
        return isinstance(ip, ipaddress.IPv4Address) and _is_behind_inner_bridge(ip)


def _is_behind_inner_bridge(ip: ipaddress.IPv4Address) -> bool:
    """Linux: does the route to ``ip`` end at a bridge without a network card (containers, virtual
    machines)?"""
    try:
        with open(ROUTES, encoding="ascii") as lines:
            routes = [_route(line.split()) for line in lines.readlines()[1:]]
        _, gateway, bridge = max(
            (mask, gateway, name) for net, mask, gateway, name in routes if int(ip) & mask == net
        )
        ports = os.path.join(NETS, bridge, "brif")
        return not gateway and not any(
            _is_wired(os.path.join(ports, port, "..")) for port in os.listdir(ports)
        )
    except (OSError, ValueError, IndexError):
        return False


def _route(fields: list[str]) -> tuple[int, int, int, str]:
    """Network, mask, gateway and interface of a line of /proc/net/route.

    Its numbers are in the machine's byte order: little-endian wherever containers run.
    """
    net, gateway, mask = (
        int.from_bytes(bytes.fromhex(fields[number]), "little") for number in (1, 2, 7)
    )
    return net, mask, gateway, fields[0]


def _is_wired(interface: str) -> bool:
    """Does the interface lead to a network card? A card has a device; a bond or a VLAN lies on one
    that has."""
    return any(name == "device" or name.startswith("lower_") for name in os.listdir(interface))
