"""Names go as they are on the disk, whatever the locale of whoever types, or of a cron that has
none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from servers import FormServer

from .conftest import Home, jpeg

pytestmark = pytest.mark.process

NAMES = [b"plain.jpg", "Grüße ß.jpg".encode(), "写真.jpg".encode(), "Größe.jpg".encode("latin-1")]
SENT = {"plain.jpg", "Grüße ß.jpg", "写真.jpg", "Gr__e.jpg"}
ALBUM = "Ägypten"
FIELDS = """[targets.club.fields]
title = "{stem}"
place = "{path}"
into = "{album}"
"""


@pytest.fixture(scope="session")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a locale whose charset is ISO-8859-1."""
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("no localedef here to make a locale with")
    made = subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", folder / "de_DE.ISO-8859-1"],
        capture_output=True,
        check=False,
    )
    if not (folder / "de_DE.ISO-8859-1").exists():
        pytest.skip(f"localedef makes no locale here: {made.stderr.decode(errors='replace')}")
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE.ISO-8859-1"}


ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


@pytest.mark.parametrize(
    "locale",
    [
        "ISO-8859-1",
        pytest.param("ASCII", marks=pytest.mark.long),
        pytest.param("UTF-8", marks=pytest.mark.long),
    ],
)
def test_names_go_as_utf_8_whatever_the_locale(
    home: Home, server: FormServer, latin_1: dict[str, str], locale: str
) -> None:
    home.env |= {"ISO-8859-1": latin_1, "ASCII": ASCII, "UTF-8": {}}[locale]
    home.form(server, FIELDS)
    folder = os.fsencode(home.folder) + "/Ägypten".encode()
    os.mkdir(folder)
    for number, name in enumerate(NAMES):
        Path(os.fsdecode(os.path.join(folder, name))).write_bytes(jpeg(number))
    done = home.run("push", folder, "--album", ALBUM.encode())
    assert done.returncode == 0, done.stderr
    assert set(server.names) == SENT
    assert {one.fields["into"] for one in server.ledger} == {ALBUM}
    assert {one.fields["title"] for one in server.ledger} >= {"plain", "Grüße ß", "写真"}
    assert {one.fields["place"] for one in server.ledger} == SENT
    listed = home.run("list", ALBUM.encode(), "--json")
    paths = {json.loads(line)["path"] for line in listed.stdout.splitlines()}
    assert {path.encode(errors="surrogateescape") for path in paths} == {
        folder + b"/" + name for name in NAMES
    }
    raw = home.run("list", ALBUM.encode(), "-0").stdout.encode(errors="surrogateescape")
    assert set(raw.split(b"\0")) == {folder + b"/" + name for name in NAMES} | {b""}
    again = home.run("push", folder, "--album", ALBUM.encode())
    assert again.returncode == 0 and len(server.ledger) == len(NAMES)
