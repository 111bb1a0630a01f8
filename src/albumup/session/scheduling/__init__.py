"""Schedules: cron, systemd or launchd runs a command of albumup regularly."""

from __future__ import annotations

KINDS = ("cron", "systemd", "launchd")
COMMANDS = {"push": 60, "resume": 15, "retry-failed": 15}
"""The commands that can be scheduled, with the minutes between two runs."""
