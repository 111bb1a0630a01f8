"""A mixed album to an Immich server, killed again and again: what is lost, what is claimed, what is
sent twice.

    uv run tests/faults/immich_album.py --files 200 --kills 20 --seed 20261125 [--version 3.2.2]
[--cli]

Live photos, sidecars, RAW beside JPEG of the same stem, a photo that is there already, one that is
in the trash. After the kills: resumed, restored from the trash, retried, verified; pushed again
from a fresh journal; half of it as a second album. ``--cli`` has Immich's own command-line client,
from npm, send such a folder to such a server, and counts its requests, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from home import COMMAND, Home
from immich.fake import KEY, NODE, NODE_HOME, Immich
from live import clip, still

PATIENCE = 120
RATE = "300k"
"""Slow enough that a kill comes while there is something left."""


@dataclass
class Result:
    """What a run came to; ``problems`` must be empty."""

    kills: int = 0
    twice: int = 0
    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def expect(self, holds: object, words: str) -> None:
        if not holds:
            self.problems.append(words)


def make_album(folder: Path, files: int, chance: random.Random) -> dict[str, bytes]:
    """Files in the folder by name; about a fifth live photos, some with sidecars, some RAW beside
    JPEG."""
    made: dict[str, bytes] = {}
    number = 0
    while len(made) < files:
        number += 1
        stem = f"IMG_{number:04}"
        match chance.randrange(5):
            case 0:
                identifier = f"{number:08}-0000-4000-8000-000000000000"
                made[f"{stem}.HEIC"] = still(identifier, number, "HEIF")
                made[f"{stem}.MOV"] = clip(identifier, number=number)
            case 1:
                made[f"{stem}.CR2"] = b"II*\0\x10\0\0\0CR\2" + chance.randbytes(30_000)
                made[f"{stem}.JPG"] = b"\xff\xd8\xff\xe0" + chance.randbytes(20_000)
                made[f"{stem}.xmp"] = f"<x:xmpmeta>{number}</x:xmpmeta>".encode()
            case 2:
                made[f"{stem}.MP4"] = b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + chance.randbytes(
                    60_000
                )
            case _:
                made[f"{stem}.JPG"] = b"\xff\xd8\xff\xe0" + chance.randbytes(20_000)
    folder.mkdir()
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return made


class Scene:
    """A home, a server, and the real command."""

    def __init__(self, place: Path, server: Immich, more: str) -> None:
        self.server = server
        self.place = place
        self.home = Home(place)
        token = self.home.secret(KEY)
        table = f'kind = "immich"\nurl = "{server.url}"\ntoken_file = "{token}"\n{more}'
        self.home.config(f"[defaults]\nstable_for = 0\n[targets.home]\n{table}")

    def run(self, *args: str, journal: str = "journal.db") -> subprocess.CompletedProcess[str]:
        return self.home.run(*args, "--journal", journal, launch=COMMAND, patience=PATIENCE)

    def start(self, *args: str, journal: str = "journal.db") -> subprocess.Popen[str]:
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return self.home.start(*args, "--journal", journal, launch=COMMAND, **nowhere)

    def uploads(self) -> list[dict[str, object]]:
        return self.server.requests("POST", "/api/assets")


def run(place: Path, files: int, kills: int, seed: int, version: str) -> Result:
    """All of it; ``place`` is an empty folder."""
    chance, result = random.Random(seed), Result()
    made = make_album(place / "trip", files, chance)
    photos = {name: data for name, data in made.items() if not name.endswith(".xmp")}
    server = Immich(version)
    scene = Scene(place, server, "settle = 0.2\nelsewhere = true\n")
    try:
        singles = [
            name
            for name in photos
            if name.endswith((".JPG", ".MP4")) and name[:-4] + ".CR2" not in photos
        ]
        there, trashed = chance.sample(singles, 2)
        server.put(photos[there], there)
        trash_id = server.put(photos[trashed], trashed, trashed=True)
        wanted = {hashlib.sha256(data).hexdigest() for data in photos.values()}
        began = time.monotonic()
        for number in range(kills):
            what = ("push", str(place / "trip")) if number % 3 == 0 else ("resume",)
            process = scene.start(*what, "--limit-rate", RATE)
            try:
                process.wait(0.35 + chance.random() * 0.5)
            except subprocess.TimeoutExpired:
                process.kill()
                result.kills += 1
            process.wait()
            for line in scene.run("list", "--json").stdout.splitlines():
                task = json.loads(line)
                if task["state"] in ("uploaded", "duplicate"):
                    result.expect(
                        task["sha256"] in server.digests(),
                        f"claimed, and not there: {task['path']}",
                    )
        if scene.run("push", str(place / "trip")).returncode != 3:
            result.problems.append("the photo in the trash was not named")
        states = [json.loads(line) for line in scene.run("list", "--json").stdout.splitlines()]
        result.expect(
            [one["path"] for one in states if one["state"] == "rejected"]
            == [str(place / "trip" / trashed)],
            "other than the one in the trash was rejected",
        )
        server.tell("restore", id=trash_id)
        result.expect(
            scene.run("retry-failed", "trip", "--rejected").returncode == 0,
            "retry-failed did not end well",
        )
        verified = scene.run("verify", "trip")
        result.expect(verified.returncode == 0, f"verify: {verified.stdout[-500:]}")
        result.expect(server.digests() == wanted, "not all is there")
        result.twice = sum(one["received"] > 1 for one in server.assets())
        stills = [one for one in server.assets() if one["livePhotoVideoId"]]
        live = sum(name.endswith(".HEIC") for name in photos)
        result.expect(len(stills) == live, f"{len(stills)} of {live} live photos are pairs there")
        sidecars = sum(name.endswith(".xmp") for name in made)
        result.expect(
            sum(one["sidecar"] is not None for one in server.assets()) == sidecars,
            "sidecars are missing",
        )
        result.expect(len(server.albums()) == 1, "more than one album")
        result.expect(
            len(server.album("trip")) == len(photos) - live, "not all photos are in the album"
        )
        result.lines.append(
            f"{result.kills} kills: {len(photos)} photos ({live} live, {sidecars} sidecars, "
            "1 there, 1 in the trash), "
            f"{len(result.problems)} problems, {result.twice} received twice, "
            f"{time.monotonic() - began:.0f} s; "
            f"{verified.stdout.splitlines()[-1] if verified.stdout else '?'}"
        )
        _again(scene, photos, result)
    finally:
        server.close()
    return result


def _again(scene: Scene, photos: dict[str, bytes], result: Result) -> None:
    """The same album from a fresh journal, and half of it as a second one."""
    server, place = scene.server, scene.place
    server.tell("clear_requests")
    result.expect(
        scene.run("push", str(place / "trip"), journal="two.db").returncode == 0,
        "pushing again failed",
    )
    received = sum(int(one["received"]) for one in scene.uploads())  # type: ignore[call-overload]
    result.expect(received == 0, f"pushing again sent {received} bytes of photo")
    result.lines.append(
        f"pushed again: {received} bytes of photo, {len(server.requests())} requests"
    )
    server.tell("clear_requests")
    half = place / "half"
    half.mkdir()
    names = sorted(photos)[: len(photos) // 2]
    for name in names:
        (half / name).write_bytes(photos[name])
    more = [f"NEW_{number}.JPG" for number in range(len(names))]
    for number, name in enumerate(more):
        (half / name).write_bytes(b"\xff\xd8\xff\xe0" + random.Random(number).randbytes(20_000))
    result.expect(scene.run("push", str(half)).returncode == 0, "the second album failed")
    result.expect(
        len(scene.uploads()) == len(more),
        f"{len(scene.uploads())} sendings for {len(more)} new photos",
    )
    clips = sum(name.endswith(".MOV") for name in names)
    result.expect(
        len(server.album("half")) == len(names) + len(more) - clips,
        "not all are in the second album",
    )
    result.lines.append(
        f"second album, half of it there: {len(scene.uploads())} of {len(names) + len(more)} sent"
    )


def requests_of(place: Path, version: str, files: int, *, cli: bool) -> str:
    """How many requests an album of new photos takes, of ours or of Immich's own client."""
    server = Immich(version)
    try:
        folder = place / f"fresh-{cli}"
        make_album(folder, files, random.Random(1))
        count = sum(not name.endswith(".xmp") for name in os.listdir(folder))
        if cli:
            npm = place / "npm"
            npm.mkdir()
            (npm / "package.json").write_text('{"private": true}')
            tool = NODE_HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            subprocess.run(
                [NODE, tool, "install", "--silent", "--prefix", npm, "@immich/cli"], check=True
            )
            environment = os.environ | {
                "IMMICH_INSTANCE_URL": f"{server.url}/api",
                "IMMICH_API_KEY": KEY,
            }
            main = npm / "node_modules" / "@immich" / "cli" / "dist" / "index.js"
            subprocess.run(
                [NODE, main, "upload", "--album-name", "trip", "--recursive", folder],
                env=environment, check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE,
            )  # fmt: skip
        else:
            scene = Scene(place, server, "")
            scene.run("push", str(folder), "--album", "trip", journal="fresh.db")
        total = len(server.requests())
        stored = len(server.assets())
        return f"{total} requests for {count} photos ({total / count:.3f} each), {stored} stored"
    finally:
        server.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--version", default="3.2.2")
    parser.add_argument("--cli", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        result = run(place, given.files, given.kills, given.seed, given.version)
        print(*result.lines, *(f"PROBLEM: {words}" for words in result.problems), sep="\n")
        print("albumup:", requests_of(place, given.version, given.files, cli=False))
        if given.cli:
            print("@immich/cli:", requests_of(place, given.version, given.files, cli=True))
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
