"""What runs a command of albumup regularly: cron, systemd, launchd."""

from __future__ import annotations

KINDS = ("cron", "systemd", "launchd")
COMMANDS = {"push": 60, "resume": 15, "retry-failed": 15}
"""The commands that make sense regularly, and how many minutes lie between two runs."""
