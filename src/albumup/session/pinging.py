"""Pings: URLs that are fetched when a run begins and ends, so that its absence is noticed."""

from __future__ import annotations

import base64
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit, urlunsplit

from albumup.config.file import Config
from albumup.config.shown_address import MASK, secrets_in, secrets_of_path
from albumup.errors import AlbumupError

LIMIT_SECONDS = 10.0
_POLL = 0.05


class Pinging:
    """The pings of one run, in a thread of its own.

    ``fetch``: gets a URL, and returns the error in words, "" for none.
    """

    def __init__(self, urls: Iterable[str], fetch: Callable[[str], str] | None = None) -> None:
        self._urls = sorted(set(urls))
        self._fetch = fetch or fetched
        self._wanted: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._faults: dict[str, str] = {}
        self._thread = threading.Thread(target=self._work, name="pings", daemon=True)
        if self._urls:
            self._thread.start()

    def begin(self) -> None:
        """Ping that the run begins."""
        self._ping("/start")

    def end(self, exit_code: int) -> None:
        """Ping that the run has ended."""
        self._ping("/fail" if exit_code else "")

    def finish(self, gives_up: Callable[[], bool]) -> Sequence[str]:
        """Wait for the pings under way; return a sentence for each address that failed."""
        self._wanted.put(None)
        until = time.monotonic() + LIMIT_SECONDS
        while self._thread.is_alive() and time.monotonic() < until and not gives_up():
            self._thread.join(_POLL)
        if self._thread.is_alive():
            self._note(self._urls, "no answer in time")
        return [f"ping failed: {host_of(url)}: {fault}" for url, fault in self._faults.items()]

    def _ping(self, suffix: str) -> None:
        for url in self._urls:
            path, mark, query = url.partition("?")
            self._wanted.put((url, path + suffix + mark + query))

    def _note(self, urls: Iterable[str], fault: str) -> None:
        for url in urls:
            self._faults.setdefault(url, fault)

    def _work(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            url, address = wanted
            if fault := self._fetch(address):
                self._note([url], fault)


@contextmanager
def pings(
    urls: Iterable[str], warn: Callable[[str], None], may_leave: Callable[[], Callable[[], bool]]
) -> Iterator[Pinging]:
    """The pings of a run; waits for them at the end. ``may_leave``: makes the end of that wait."""
    pinging = Pinging(urls)
    try:
        yield pinging
    finally:
        for words in pinging.finish(may_leave()):
            warn(words)


def ping_urls(config: Config, targets: Iterable[str]) -> list[str]:
    """The addresses to ping for a run with these targets."""
    found = []
    for target in set(targets):
        try:
            found.append(config.unattended(target).ping)
        except AlbumupError:
            continue  # the run reports the error
    return [url for url in found if url]


def host_of(url: str) -> str:
    """The part of an address that may be shown: the rest is as good as a password."""
    return urlsplit(url).hostname or ""


def fetched(url: str) -> str:
    """GET a URL; return the error in words without any part of the URL, "" for none."""
    from albumup.targets.masking import mask_for

    secrets = secrets_in(url) | secrets_of_path(url.removesuffix("/start").removesuffix("/fail"))
    return mask_for(others=secrets).sub(MASK, _fetched(url))


def _fetched(url: str) -> str:
    from albumup.transfer.http import Http
    from albumup.transfer.values import Peer

    address, headers = _without_user(url)
    try:
        sent = Http(Peer(LIMIT_SECONDS), headers).call("GET", address, most=4096)
    except AlbumupError as error:
        return str(error)
    if sent.answer is None:
        return sent.detail or str(sent.fault)
    status = sent.answer.status
    return "" if 200 <= status < 300 else f"it answered {status} {sent.answer.reason}".rstrip()


def _without_user(url: str) -> tuple[str, list[tuple[str, str]]]:
    """A URL without user and password, and the header that holds them instead."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, []
    pair = ":".join(map(unquote, user.split(":", 1)))
    basic = base64.b64encode(pair.encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), [("Authorization", f"Basic {basic}")]
