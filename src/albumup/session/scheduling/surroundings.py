"""The parts of a shell that schedulers lack: programs on its PATH, and variables."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator

from albumup.config.file import Config
from albumup.config.unattended import DESKTOP

_PATHS = {
    "cron": "/usr/bin:/bin",
    "systemd": "/usr/local/bin:/usr/bin:/bin",
    "launchd": "/usr/bin:/bin:/usr/sbin:/sbin",
}
"""The folders where each kind of scheduler looks for programs by default."""
_VARIABLES = (
    *("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)


def lacking(kind: str, config: Config, targets: Collection[str]) -> Iterator[str]:
    """Sentences about programs and variables that a scheduler of this kind would lack.

    The programs are in the config, and found here; the variables lead to servers. Raises
    ConfigError.
    """
    for program in dict.fromkeys(_programs(config, targets)):
        if shutil.which(program, path=_PATHS[kind]) is None and (here := shutil.which(program)):
            yield f"{kind} does not find {program}, whose PATH is short: name it as {here}"
    named = [name for name in _VARIABLES if os.environ.get(name)]
    if named:
        them = "it" if len(named) == 1 else "them"
        yield f"{kind} may not have {', '.join(named)}: set {them} there, too"


def _programs(config: Config, targets: Collection[str]) -> Iterator[str]:
    """The programs that a run with these targets starts."""
    for name in targets:
        table = config.targets.get(name)
        command = table.settings.get("token_command") if table is not None else None
        if isinstance(command, list) and command:
            yield str(command[0])
        unattended = config.unattended(name)
        for words in (unattended.may_run, unattended.on_done):
            if words and words != (DESKTOP,):
                yield words[0]
