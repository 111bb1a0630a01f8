"""The receiver: it listens on an address, with a thread for each connection, until it is
stopped."""

from __future__ import annotations

import contextlib
import errno
import functools
import ipaddress
import random
import signal
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from albumup.errors import LocalError
from albumup.receive.connections import Connections
from albumup.receive.faults import Faults
from albumup.receive.handler import Desk, Handler
from albumup.receive.store import Store, Tally

GRACE = 5.0  # seconds for what is being stored when the receiver stops
POLL = 0.05  # seconds until stop() is noticed; an uploader with an inbox waits that long at its end


def _silent(_: str) -> None:
    """The default log."""


def is_loopback(host: str) -> bool:
    """Can only this computer reach the address?"""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Receiver:
    """Serves ``store`` over HTTP to clients with ``token``; a context manager, or ``start`` and
    ``stop``.

    ``port`` 0: a free one. ``rng`` draws the faults. ``log`` gets a line for each request and
    fault, from many threads; the printer has to escape it, because it holds the client's own text.
    ``token`` None, on a loopback address only, lets in every program of this computer, but no web
    page (Origin). Raises ValueError for an empty token or host: nobody gets "anyone" or
    "everywhere" unasked.
    """

    def __init__(
        self,
        store: Store,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        token: str | None,
        faults: Faults | None = None,
        rng: random.Random | None = None,
        log: Callable[[str], None] = _silent,
        connections: Connections | None = None,
    ) -> None:
        if token == "" or not host or (token is None and not is_loopback(host)):
            raise ValueError("a receiver needs a token and a host")
        rng = rng or random.Random()
        self.tally = Tally()
        self._address = (host, port)
        self._log = log
        self._stopping = threading.Event()
        pick = functools.partial(faults.pick, rng) if faults else lambda: None
        self._desk = Desk(
            store=store,
            token=token.encode() if token is not None else None,
            pick=pick,
            stopping=self._stopping,
            log=log,
            connections=connections or Connections(),
            tally=self.tally,
        )
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The root address, without a slash at its end; only after ``start``."""
        assert self._server is not None, "not started"
        host, port = self._server.server_address[:2]
        return f"http://[{host!s}]:{port}" if ":" in str(host) else f"http://{host!s}:{port}"

    def start(self) -> None:
        """Listen, and serve in a thread. Raises LocalError if the address cannot be used."""
        host, port = self._address
        try:
            self._server = _Server(self._address, self._desk)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise LocalError(
                f"cannot listen on {host} port {port}: {reason}", "--port 0 takes a free port"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL,), name="receiver", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End: whole photos are stored and answered within 5 s, others break off. May be called
        again."""
        if self._server is None or self._thread is None:
            return
        self._stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._desk.connections.end_all(GRACE)

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], desk: Desk) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._desk = desk
        super().__init__(address, functools.partial(Handler, desk))

    def get_request(self) -> tuple[socket.socket, Any]:
        try:
            return super().get_request()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                self._desk.connections.drop_idle()
                time.sleep(POLL)  # the connection still waits, and accept is called again at once
            raise

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return self._desk.connections.come(request, client_address[0])

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._desk.connections.gone(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address  # of no interest, but this is socketserver's signature
        self._desk.log(f"a connection ended: {sys.exc_info()[1]!r}")


def serve(
    folder: str | bytes,
    host: str,
    port: int,
    token: str | None,
    faults: Faults | None,
    on_ready: Callable[[str], None],
    *,
    log: Callable[[str], None] = _silent,
    warn: Callable[[str], None] = _silent,
    stop: threading.Event | None = None,
) -> Tally:
    """Receive into ``folder`` until SIGINT, SIGTERM or ``stop``. Returns a tally.

    ``on_ready`` gets the URL once the receiver listens, ``warn`` words about damaged photos.
    Signals act only in the main thread; ignored ones stay ignored (nohup, ``&``). Raises LocalError
    if the folder or the address cannot be used, ValueError for an empty token or host.
    """
    stop = stop or threading.Event()
    store = Store(folder, warn)
    with (
        Receiver(store, host, port, token=token, faults=faults, log=log) as receiver,
        _signals() as came,
    ):
        on_ready(receiver.url)
        while not came and not stop.wait(0.1):
            pass
    return receiver.tally


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that each SIGINT and SIGTERM is added to."""
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    # No Event: setting one within a signal handler can deadlock with the wait for it.
    wanted = [
        number
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {
        number: signal.signal(number, lambda number, _: came.append(number)) for number in wanted
    }
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
