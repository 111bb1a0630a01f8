"""Finds the proxy for a server in the environment (the same variables as curl)."""

from __future__ import annotations

import base64
import os
import sys
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from albumup.errors import ConfigError

_UNSUPPORTED = ("https", "socks", "socks4", "socks4a", "socks5", "socks5h")
"""Kinds of proxies that messages may name; any other word may be part of a password."""

_PORT = 1080
"""The default port; curl's."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's address, and the headers that carry its password; ``url`` is without the
    password."""

    url: str
    host: str
    port: int
    headers: dict[str, str] = field(repr=False)


def proxy_for(url: str) -> Proxy | None:
    """The proxy for a URL; None where none is named, or ``no_proxy`` excludes the host.

    Raises ConfigError for a setting that cannot be read; its message names the variable, never the
    value.
    """
    if not _may_be_named():
        return None
    import requests  # first: this waits for another thread that is importing the package

    get_environ_proxies = requests.utils.get_environ_proxies
    select_proxy = requests.utils.select_proxy
    value: str | None = select_proxy(url, get_environ_proxies(url))
    if not value or not value.strip():
        return None
    scheme = urlsplit(url).scheme
    where = _variable(scheme, value)
    value = value.strip()
    if "://" not in value:
        value = f"http://{value}"
    kind = value.partition("://")[0].lower()
    if kind in _UNSUPPORTED:
        raise ConfigError(
            f"{where} names a kind of proxy that is not supported: {kind}", "use one of http://"
        )
    found = _read(value) if kind == "http" else None
    if found is None:
        raise ConfigError(
            f"{where} cannot be read as the address of a proxy",
            "write it as http://USER:PASSWORD@HOST:PORT, "
            "with / # ? @ : [ ] and % in user name and password as %2F %23 %3F %40 %3A %5B %5D %25",
        )
    return found


def _may_be_named() -> bool:
    """Is a proxy named anywhere? Only macOS has settings of its own, and reading these takes
    long."""
    if sys.platform != "darwin":
        return any(name.lower().endswith("_proxy") for name in os.environ)
    from urllib.request import getproxies

    return bool(getproxies())


def _read(value: str) -> Proxy | None:
    """Parse a proxy's address and percent-decode user name and password; None if that fails."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
        if host is None or "@" in value.removeprefix(f"{parts.scheme}://{parts.netloc}"):
            return None  # a password with / # or ?, which ended the netloc
        host.encode("idna")
    except ValueError:
        return None
    if port == 0 or not host.isprintable() or " " in host:
        return None
    port = port or _PORT
    headers = {}
    if parts.username is not None or parts.password is not None:
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        headers["Proxy-Authorization"] = "Basic " + base64.b64encode(pair).decode()
    return Proxy(f"http://{f'[{host}]' if ':' in host else host}:{port}", host, port, headers)


def _variable(scheme: str, value: str) -> str:
    """The variable that holds a proxy's ``value``, for messages."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next(
        (name for name in names if os.environ.get(name) == value), "the system's proxy setting"
    )
