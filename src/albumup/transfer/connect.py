"""Makes connections: proxies, TLS and its certificates, and what a failure means."""

from __future__ import annotations

import errno
import functools
import os
import re
import socket
import ssl

from albumup.errors import ConfigError, LocalError
from albumup.transfer import kernel
from albumup.transfer.proxies import Proxy
from albumup.transfer.values import CONNECT_SECONDS, Fault, Stopped

_TRUST = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Environment variables that name trusted certificates."""
_LOCAL_ERRNOS = frozenset({errno.ENFILE, errno.EMFILE, errno.ENOMEM})


def connect(
    peer_host: str, peer_port: int, *, context: ssl.SSLContext | None, proxy: Proxy | None
) -> socket.socket:
    """Return a non-blocking socket to a server, with TLS if there is a context. Raises Stopped,
    LocalError."""
    try:
        return _connect(peer_host, peer_port, context, proxy)
    except Stopped as stopped:
        if proxy is None:
            raise
        raise Stopped(
            stopped.fault, f"by way of the proxy {proxy.host}:{proxy.port}: {stopped.detail}"
        ) from stopped


def _connect(
    peer_host: str, peer_port: int, context: ssl.SSLContext | None, proxy: Proxy | None
) -> socket.socket:
    host = proxy.host if proxy else peer_host
    try:
        if proxy is not None and context is not None:
            found = _tunnelled(peer_host, peer_port, proxy)
        else:
            port = proxy.port if proxy else peer_port
            found = socket.create_connection((host, port), CONNECT_SECONDS)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            found = context.wrap_socket(found, server_hostname=_name_in_certificate(peer_host))
    except ssl.SSLCertVerificationError as error:
        raise Stopped(Fault.BAD_CERTIFICATE, error.verify_message) from error
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
            raise Stopped(
                Fault.BAD_CERTIFICATE, "it does not speak TLS; is it http:// there?"
            ) from error
        raise not_connected(error) from error
    except socket.gaierror as error:
        raise unresolved(host, error) from error
    except UnicodeError as error:  # from IDNA: a label of a host name is empty or too long
        raise Stopped(Fault.NOT_REACHED, f"{host} cannot be the name of a host") from error
    except TimeoutError as error:
        raise Stopped(Fault.NOT_REACHED, f"no connection within {CONNECT_SECONDS:.0f} s") from error
    except OSError as error:
        raise not_connected(error) from error
    found.settimeout(0)
    return found


def _name_in_certificate(host: str) -> str:
    """A host as certificates name it: without the dot at its end, or the scope of an IPv6
    address."""
    return host.partition("%")[0].rstrip(".")


def _tunnelled(peer_host: str, peer_port: int, proxy: Proxy) -> socket.socket:
    """A socket to a server through a proxy, which sees neither our headers nor our bytes. Raises
    OSError."""
    from http.client import HTTPException

    import urllib3  # first: this waits for another thread that is importing the package
    import urllib3.connection
    import urllib3.exceptions

    tunnel = urllib3.connection.HTTPConnection(proxy.host, proxy.port, timeout=CONNECT_SECONDS)
    tunnel.set_tunnel(peer_host, peer_port, headers=proxy.headers)
    try:
        tunnel.connect()
    except (urllib3.exceptions.HTTPError, HTTPException) as error:
        cause = error.__cause__
        raise (cause if isinstance(cause, OSError) else OSError(words_of(error))) from None
    found = tunnel.sock
    assert isinstance(found, socket.socket)
    # The caller owns the socket now: the connection object must not close it when it is collected.
    tunnel.sock = None
    return found


def unresolved(host: str, error: Exception) -> Stopped:
    """The fault behind a failed look-up: no such host, or no network."""
    cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__
    number = getattr(cause, "errno", None)
    is_unknown = number in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME))
    if is_unknown and kernel.has_network():  # macOS says so without a network, too
        return Stopped(Fault.UNKNOWN_HOST, f"no host is called {host}")
    return Stopped(Fault.NOT_REACHED, f"{host} cannot be looked up: no network?")


def not_connected(error: Exception) -> Stopped:
    """The fault behind a failed connection. Raises LocalError where this machine is at fault."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if isinstance(cause, OSError) and cause.errno in _LOCAL_ERRNOS:
        raise LocalError(f"cannot open a connection: {cause.strerror}") from error
    return Stopped(Fault.NOT_REACHED, words_of(cause))


def words_of(error: BaseException) -> str:
    """An error of the line in words for people."""
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "connection reset"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    from http.client import HTTPException  # where a library raised one, it is loaded already

    if isinstance(error, HTTPException):
        return "what came back is not HTTP"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return re.sub(r"\s*\(?_ssl\.c:\d+\)?:?\s*", " ", str(error)).strip() or type(error).__name__


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """A context that trusts ``ca_file``, else the variables curl honours, else the system. Raises
    ConfigError."""
    named = ca_file or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    try:
        if named:
            if os.path.isdir(named):
                return ssl.create_default_context(capath=named)
            return ssl.create_default_context(cafile=named)
        if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
            return ssl.create_default_context()
    except OSError as error:
        raise ConfigError(
            f"{named or 'SSL_CERT_FILE'}: no certificates to trust: {words_of(error)}"
        ) from error
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def shared_tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Like ``tls_context``, but cached: reading a store takes longer than sending a photo."""
    return _shared_tls_context(ca_file, *(os.environ.get(name) for name in _TRUST))


@functools.cache
def _shared_tls_context(ca_file: str | None, *_variables: str | None) -> ssl.SSLContext:
    context = tls_context(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context
