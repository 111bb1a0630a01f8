"""TLS in front of the servers of the tests, under the names of the documents: a proxy that knows no
HTTP, also for those that are programs of their own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

import trustme


class Front:
    """Ends TLS on ``port`` and passes each connection on to the server whose name it asks for.
    ``close`` ends it."""

    def __init__(self, authority: trustme.CA, names: tuple[str, ...], ca_file: str) -> None:
        self.names, self.ca_file = names, ca_file
        self._ports: dict[str, int] = {}
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_alpn_protocols(["http/1.1"])
        self._context.sni_callback = self._note
        authority.issue_cert(*names).configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def lead(self, name: str, port: int) -> None:
        assert name in self.names
        self._ports[name] = port

    def forget(self) -> None:
        self._ports.clear()

    def close(self) -> None:
        self._listener.close()

    def _note(self, line: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        line.wanted = name  # type: ignore[attr-defined]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line = self._listener.accept()[0]
                threading.Thread(target=self._pass_on, args=[line], daemon=True).start()

    def _pass_on(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as line:
            port = self._ports[line.wanted]  # type: ignore[attr-defined]
            with socket.create_connection(("127.0.0.1", port)) as behind:
                back = threading.Thread(target=_pump, args=[behind, line], daemon=True)
                back.start()
                _pump(line, behind)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 17):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
