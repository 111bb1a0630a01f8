"""The commands by name, each with its module."""

from __future__ import annotations

COMMANDS = {
    "push": "push",
    "resume": "resume",
    "retry-failed": "retry_failed",
    "status": "status",
    "watch": "watch",
    "wait": "wait",
    "stop": "stop",
    "list": "list_",
    "log": "log",
    "cancel": "cancel",
    "forget": "cancel",
    "share": "share",
    "verify": "verify",
    "target": "target",
    "receive": "receive",
    "schedule": "schedule",
    "demo": "demo",
    "help": "about",
    "version": "about",
}
