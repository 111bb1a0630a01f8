"""Makes the targets of a run, by the config and the journal."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing

from albumup.journal import reading
from albumup.journal.opening import journal_gone, open_reader
from albumup.processes import withhold
from albumup.session.notifying import token_names
from albumup.session.telling import Configs
from albumup.targets.base import Target
from albumup.targets.registry import build, rebuild

_SLOW_SECONDS = 3.0
"""How long a target may take before the user is told what is waited for."""


class Builder:
    """Makes targets by their names; any thread may ask.

    ``names``: called with the name and the title of each target that was made.
    """

    def __init__(self, journal: str, configs: Configs, names: Callable[[str, str], None]) -> None:
        self._journal, self._configs, self._names = journal, configs, names
        self._built: set[str] = set()
        self._under_way: dict[str, float] = {}
        """Since when, by the monotonic clock; infinity once ``slow`` has told of it."""

    def build(self, name: str) -> Target:
        """Make a target; its ``token_command`` may take a minute.

        Raises ConfigError, LocalError.
        """
        if name in self._built:  # built again, because of a push after an edit of the config
            self._configs.read_config_again()
        # This may be a helper thread, which the run's own connection does not belong to.
        if (connection := open_reader(self._journal)) is None:
            raise journal_gone(self._journal)
        with closing(connection) as reader:
            kept, known = reading.target_definitions(reader), reading.servers(reader)
        withhold(token_names(self._configs.config, kept.values()))
        self._under_way[name] = time.monotonic()
        try:
            target = build(name, self._configs.config, kept, known)
        finally:
            self._under_way.pop(name, None)
        self._built.add(name)
        self._names(name, target.title)
        return target

    def rebuild(self, definition: str, present: Target) -> Target | None:
        """Make a target by an earlier definition; see ``registry.rebuild``."""
        return rebuild(definition, present, self._configs.config)

    def slow(self) -> list[str]:
        """The names of targets whose tokens take their time, each once."""
        now = time.monotonic()
        found = [
            name for name, since in list(self._under_way.items()) if now > since + _SLOW_SECONDS
        ]
        for name in found:
            self._under_way[name] = math.inf
        return found
