"""./dev: the interpreter that is first on PATH, and packages from where pip gets them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from pip_settings import exports

REPOSITORY = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("lines", "environment", "wanted"),
    [
        ([], {}, {}),
        (["global.index-url='https://a/'"], {}, {"UV_DEFAULT_INDEX": "https://a/"}),
        (
            ["install.index-url='https://b/'", "global.index-url='https://a/'"],
            {},
            {"UV_DEFAULT_INDEX": "https://b/"},
        ),
        (
            [":env:.index-url='https://c/'", "install.index-url='https://b/'"],
            {},
            {"UV_DEFAULT_INDEX": "https://c/"},
        ),
        (["global.index-url='https://a/'"], {"UV_DEFAULT_INDEX": "https://mine/"}, {}),
        (
            ["global.extra-index-url='\\nhttps://a/\\nhttps://b/'"],
            {},
            {"UV_INDEX": "https://a/ https://b/"},
        ),
        (
            ["global.find-links='/a\\n/b'", "global.no-index='true'"],
            {},
            {"UV_FIND_LINKS": "/a,/b", "UV_NO_INDEX": "1"},
        ),
        (["global.cert='/ca.pem'"], {}, {"SSL_CERT_FILE": "/ca.pem"}),
        (["global.trusted-host='a b'"], {}, {"UV_INSECURE_HOST": "a b"}),
        ([], {"REQUESTS_CA_BUNDLE": "/ca.pem"}, {"SSL_CERT_FILE": "/ca.pem"}),
        (
            ["global.timeout='60'", "freeze.timeout='10'", "not a setting", "global.cert=torn'"],
            {},
            {},
        ),
    ],
)
def test_pips_settings_are_handed_to_uv(
    lines: list[str], environment: dict[str, str], wanted: dict[str, str]
) -> None:
    assert exports(lines, environment) == {"UV_NATIVE_TLS": "1", **wanted}


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        (["python3", "python"], "python3"),
        (["python3 old", "python"], "python"),
        (["python3 old", "python old", "python3.11"], "python3.11"),
        (["python3 old"], None),
    ],
    ids=["both", "an old one first", "by its version", "none"],
)
def test_the_first_interpreter_on_the_path_that_is_new_enough_is_taken(
    tmp_path: Path, there: list[str], taken: str | None
) -> None:
    """Stand-ins for the interpreters, and for uv, which says how it was called."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in there:
        program, _, age = name.partition(" ")
        says = "" if age else f'case $1 in -c) echo "{place}/{program}";; esac'
        write(place / program, says)
    write(place / "uv", 'echo "$@"')
    for tool in ("dirname", "sh"):
        found = shutil.which(tool)
        assert found
        os.symlink(found, place / tool)
    shutil.copy(REPOSITORY / "dev", tmp_path / "dev")
    command = [tmp_path / "dev", "run"]
    done = subprocess.run(
        command, env={"PATH": str(place)}, capture_output=True, text=True, timeout=60
    )
    if taken is None:
        assert (done.returncode, done.stdout) == (1, "")
        assert "needs Python 3.11" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        assert f"--python {place}/{taken}\n" in done.stdout


def write(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
