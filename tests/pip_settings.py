"""What pip is configured with, as a shell's exports of what uv reads: printed for ./dev, and never
on a screen.

Sources: ``pip config list`` (environment, then the section of the command, then global, as pip
weighs them) and https://docs.astral.sh/uv/reference/environment/. What is set for uv already stays.
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping

_SECTIONS = ("global", "install", ":env:")
"""The later ones win."""


def exports(lines: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Variables for uv, from the lines of ``pip config list``."""
    found: dict[str, str] = {}
    for section in _SECTIONS:
        for line in lines:
            key, _, value = line.partition("=")
            if key.startswith(f"{section}."):
                try:
                    found[key.rpartition(".")[2]] = str(ast.literal_eval(value))
                except (ValueError, SyntaxError):
                    continue
    wanted = {
        "UV_DEFAULT_INDEX": found.get("index-url", ""),
        "UV_INDEX": " ".join(found.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(found.get("find-links", "").split()),
        "UV_INSECURE_HOST": " ".join(found.get("trusted-host", "").split()),
        "UV_NO_INDEX": "1"
        if found.get("no-index", "").lower() in ("1", "true", "yes", "on")
        else "",
        "SSL_CERT_FILE": found.get("cert", "") or environment.get("REQUESTS_CA_BUNDLE", ""),
        "HTTPS_PROXY": found.get("proxy", ""),
        "HTTP_PROXY": found.get("proxy", ""),
        "UV_NATIVE_TLS": "1",  # the system's certificates, as pip
    }
    return {name: value for name, value in wanted.items() if value and name not in environment}


def main() -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True)
    for name, value in exports(done.stdout.splitlines(), os.environ).items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
