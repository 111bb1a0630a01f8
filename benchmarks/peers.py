"""The programs albumup is measured against, in the same run; a peer that is not installed is said
to be missing."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
from pathlib import Path

from stage import HERE, TOKEN, Cost, Failed, Stage, free_port, run, until_it_listens

IMMICH_CLI, NODE = "3.2.2", "22"
_NPM = HERE / ".peers"


def curl_one(stage: Stage, file: Path, *, secure: bool = False) -> Cost:
    """``curl -F`` of one file."""
    address = (stage.secure if secure else stage.plain).address
    return run(
        [
            "curl", "-sf", "--cacert", stage.authority, "-o", "/dev/null", "-F",
            f"file=@{file}", f"{address}/api/assets",
        ]
    )  # fmt: skip


def curl_many(stage: Stage, folder: Path, *, secure: bool = False) -> Cost:
    """``curl --parallel``, four at a time, of every file in a folder."""
    sink = stage.secure if secure else stage.plain
    config = stage.folder / f"curl-{folder.name}-{sink.port}"
    if not config.exists():
        one = f'url = "{sink.address}/api/assets"\nform = "file=@{{}}"\noutput = "/dev/null"\n'
        one += f'cacert = "{stage.authority}"\n' * secure
        config.write_text("next\n".join(one.format(file) for file in stage.files(folder)))
    return run(["curl", "-sf", "--parallel", "--parallel-max", "4", "-K", config])


def openssl_digest(stage: Stage, folder: Path) -> Cost:
    """``openssl dgst -sha256`` of every file in a folder."""
    return run(["openssl", "dgst", "-sha256", *stage.files(folder)])


def bare_socket(stage: Stage, folder: Path, threads: int) -> Cost:
    """Ready-made heads and sendfile, nothing else: see bare.py."""
    return run(
        [
            sys.executable,
            "-ES",
            HERE / "bare.py",
            str(stage.plain.port),
            str(threads),
            *stage.files(folder),
        ]
    )


def sqlite_list(journal: Path) -> Cost:
    """``sqlite3`` printing the view of all tasks."""
    return run([_find("sqlite3"), "-readonly", journal, "select * from v_tasks"])


def requests_encoder(stage: Stage, folder: Path) -> Cost:
    """requests with MultipartEncoder: see encoder.py."""
    return run(
        [
            sys.executable,
            HERE / "encoder.py",
            f"{stage.plain.address}/api/assets",
            *stage.files(folder),
        ]
    )


class Rclone:
    """``rclone copy`` of a folder to ``rclone serve webdav``, which has it already."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._program = _find("rclone")
        self._folder = folder
        served = stage.folder / f"served-{folder.name}"
        shutil.copytree(folder, served)
        port = free_port()
        self._address = f"http://127.0.0.1:{port}"
        server = subprocess.Popen(
            [self._program, "serve", "webdav", served, "--addr", f"127.0.0.1:{port}", "-q"],
            env={**os.environ, "RCLONE_CONFIG": "/dev/null"},
            stderr=subprocess.DEVNULL,
        )
        atexit.register(server.kill)
        until_it_listens(self._address)

    def copy(self) -> Cost:
        command = [
            self._program, "copy", self._folder, ":webdav:", "--webdav-url", self._address, "-q",
        ]  # fmt: skip
        return run(command, environment={"RCLONE_CONFIG": "/dev/null"})


class ImmichCli:
    """``immich upload`` of a folder, four at a time, to the same sink on the same paths."""

    def __init__(self, stage: Stage) -> None:
        installed = _NPM / "node_modules" / "@immich" / "cli"
        if not installed.exists():
            npm = _find("npm")
            packages = [f"@immich/cli@{IMMICH_CLI}", f"node@{NODE}"]
            subprocess.run([npm, "install", "--silent", "--prefix", _NPM, *packages], check=True)
        self._stage = stage

    def upload(self, folder: Path) -> Cost:
        programs = _NPM / "node_modules" / ".bin"
        before = self._stage.plain.count()["photos"]
        cost = run(
            [programs / "immich", "upload", "-r", "-c", "4", "--no-progress", folder],
            environment={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "IMMICH_CONFIG_DIR": str(self._stage.folder),
                "IMMICH_INSTANCE_URL": f"{self._stage.plain.address}/api",
                "IMMICH_API_KEY": TOKEN,
            },
        )
        if (came := self._stage.plain.count()["photos"] - before) != len(self._stage.files(folder)):
            raise Failed(f"immich sent {came} photos")
        return cost


def versions() -> dict[str, str]:
    """The first line of what each peer says of itself."""
    commands = {
        "curl": ["curl", "--version"],
        "openssl": ["openssl", "version"],
        "rclone": ["rclone", "--version"],
        "node": [str(_NPM / "node_modules" / ".bin" / "node"), "--version"],
    }
    found = {"@immich/cli": IMMICH_CLI}
    for name, command in commands.items():
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        except (OSError, subprocess.CalledProcessError):
            said = "not installed"
        found[name] = said.splitlines()[0].split(" libcurl")[0]
    return found


def _find(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise Failed(f"{program} is not on PATH")
    return found
