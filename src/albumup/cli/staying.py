"""The causes that end an uploader in the background, and remedies: three lines at most."""

from __future__ import annotations

from albumup.session.staying import Logout, Machine, System


def lines(machine: Machine, pid: int, wait: str, *, is_scheduled: bool) -> list[str]:
    """The lines that hold for this machine.

    ``wait``: the command that waits for what is sent; ``is_scheduled``: a schedule already goes on
    after a reboot.
    """
    said = [] if is_scheduled else [_reboot(machine.system)]
    said += _logout(machine)
    if machine.may_sleep and len(said) < 3:
        said.append(_sleep(machine.system, pid, wait))
    return said


def _reboot(system: System | None) -> str:
    if system is None:
        return "A reboot ends it; to go on after one: albumup resume"
    again = f"albumup schedule {system.value} --install"
    return f"A reboot ends it; to go on after one: {again}"


def _logout(machine: Machine) -> list[str]:
    linger = "loginctl enable-linger"
    if machine.logout is Logout.STOPS_MANAGER:
        return [f"Logging out ends it, too, unless you type: {linger}"]
    if machine.logout is None:
        return []
    kills = "Logging out ends it (KillUserProcesses=yes)"
    begin = "systemd-run --user --scope albumup resume --detach"
    if machine.lingers:
        return [f"{kills}, unless it was begun by:", f"  {begin}"]
    return [f"{kills}. What helps: {linger}", f"and to begin it by: {begin}"]


def _sleep(system: System | None, pid: int, wait: str) -> str:
    awake = f"systemd-inhibit {wait}"
    if system is System.LAUNCHD:
        awake = f"caffeinate -i -w {pid}"
    return f"Asleep it sends nothing; to keep it awake: {awake}"
