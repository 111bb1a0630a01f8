"""The speed that a run's options set, in words: the limit on its rate, and its jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from albumup.cli.escaping import escape
from albumup.cli.figures import counted, size
from albumup.config.template import parse_rate


def pace(options: Mapping[str, Any]) -> str:
    """A run's options, as they were typed, in words: "1.0 MB/s and 2 uploads at once"."""
    said = []
    if (limit := options.get("limit_rate")) is not None:
        said.append(_rate(limit))
    if (jobs := options.get("jobs")) is not None:
        said.append(f"{counted(jobs, 'upload')} at once")
    return " and ".join(said)


def _rate(text: str) -> str:
    """The words for a limit on the rate. ``text``: the limit as it was typed."""
    rates = [rate for _, rate in parse_rate(text).slots]
    if len(rates) > 1:
        return f'the rates "{escape(text)}"'
    return "no rate limit" if rates[0] is None else f"{size(rates[0])}/s"
