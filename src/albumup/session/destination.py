"""Where a push goes."""

from __future__ import annotations

from albumup.config.file import Config
from albumup.journal import definitions
from albumup.journal.journal import Journal
from albumup.journal.runs import target_definitions


def keep_apart(journal: Journal, config: Config) -> None:
    """No target of the config has the name of one that --url described: that one gets another. Raises ConfigError."""
    if config.targets.keys() & target_definitions(journal).keys():
        with journal.transaction():
            definitions.keep_apart(journal, config.targets.keys())
