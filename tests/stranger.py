"""A server of somebody else's, which notes what it is shown."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Stranger:
    """Somebody else's server; ``said``: its answers by path. It notes what it is shown."""

    said: dict[str, object] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    url: str = ""
    dies_of_a_photo: bool = False
    """It takes what is posted, and is never heard of again."""
    is_dead: bool = False


@contextmanager
def listening(stranger: Stranger) -> Iterator[Stranger]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            stranger.is_dead |= stranger.dies_of_a_photo and self.command == "POST"
            if stranger.is_dead:
                self.close_connection = True
                return
            stranger.paths.append(self.path)
            stranger.shown.append(str(self.headers))
            found = stranger.said.get(self.path)
            body = json.dumps(found if found is not None else {"error": "nothing here"}).encode()
            self.send_response(404 if found is None else 200)
            for name, value in stranger.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_OPTIONS = answer

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stranger.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stranger
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
