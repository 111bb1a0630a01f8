"""Schedules: cron, systemd or launchd runs a command of albumup regularly."""

from __future__ import annotations

KINDS = ("cron", "systemd", "launchd")
COMMANDS = {"push": 60, "resume": 15, "retry-failed": 15}
"""The commands that can be scheduled, with the minutes between two runs."""
SCHEDULE = "ALBUMUP_SCHEDULE"
"""The variable with the name of the schedule, for a command that cron may begin again before it has
ended. systemd and launchd do not."""
