"""What ends an uploader in the background on a computer: read from a made-up root of its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from albumup.cli.staying import lines
from albumup.session.scheduling import cron, launchd, systemd
from albumup.session.scheduling.schedule import Entry
from albumup.session.staying import Logout, Machine, System, goes_on, look

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
MANAGER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-term.scope\n"
SERVICE = "0::/system.slice/cron.service\n"

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    put("run/systemd/system/x", "")
    put("proc/self/cgroup", SESSION)
    return put


def found(root: Path, user: str = "anna") -> Machine:
    return look(user, str(root), "linux", which=lambda name: f"/usr/bin/{name}")


def test_a_session_is_left_alone_unless_logind_kills(write: Write, tmp_path: Path) -> None:
    assert found(tmp_path) == Machine(System.SYSTEMD, None, False, False)
    write("etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=no\n")
    assert found(tmp_path).logout is None
    write("etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n")
    assert found(tmp_path).logout is Logout.KILLS
    assert found(tmp_path, "root").logout is None  # logind's own exception


@pytest.mark.parametrize("cgroup", [SERVICE, ""])
def test_what_belongs_to_no_session_outlives_all(write: Write, tmp_path: Path, cgroup: str) -> None:
    write("proc/self/cgroup", cgroup)
    write("etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n")
    assert found(tmp_path).logout is None


def test_the_default_of_a_build_stands_as_a_comment_in_its_main_file(
    write: Write, tmp_path: Path
) -> None:
    write("usr/lib/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\n")
    assert found(tmp_path).logout is Logout.KILLS
    write("etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=no\n")  # hides the other one
    assert found(tmp_path).logout is None


def test_drop_ins_win_by_name_and_by_folder(write: Write, tmp_path: Path) -> None:
    write("etc/systemd/logind.conf", "[Login]\nKillUserProcesses=no\n")
    write("usr/lib/systemd/logind.conf.d/50-kill.conf", "[Login]\nKillUserProcesses=1\n")
    assert found(tmp_path).logout is Logout.KILLS
    write("etc/systemd/logind.conf.d/40-not.conf", "[Login]\nKillUserProcesses=no\n")
    assert found(tmp_path).logout is Logout.KILLS
    write("run/systemd/logind.conf.d/60-not.conf", "[Login]\nKillUserProcesses=off\n")
    assert found(tmp_path).logout is None
    write("etc/systemd/logind.conf.d/60-not.conf", "")  # in place of that in /run
    assert found(tmp_path).logout is Logout.KILLS


@pytest.mark.parametrize(
    ("more", "is_killed"),
    [
        ("KillExcludeUsers=root anna", False),
        ("KillOnlyUsers=berta", False),
        ("KillOnlyUsers=berta anna", True),
    ],
)
def test_logind_kills_only_whom_it_is_to(
    write: Write, tmp_path: Path, more: str, is_killed: bool
) -> None:
    write("etc/systemd/logind.conf", f"[Login]\nKillUserProcesses = yes\n{more}\n")
    assert (found(tmp_path).logout is Logout.KILLS) == is_killed


def test_what_the_users_manager_runs_ends_with_it_unless_it_lingers(
    write: Write, tmp_path: Path
) -> None:
    write("proc/self/cgroup", MANAGER)
    assert found(tmp_path).logout is Logout.STOPS_MANAGER
    write("var/lib/systemd/linger/berta", "")
    assert found(tmp_path).logout is Logout.STOPS_MANAGER
    write("var/lib/systemd/linger/anna", "")
    assert found(tmp_path).logout is None


def test_without_systemd_cron_is_named_where_there_is_one(tmp_path: Path) -> None:
    assert found(tmp_path) == Machine(System.CRON, None, False, False)
    bare = look("anna", str(tmp_path), "linux", which=lambda _: None)
    assert bare == Machine(None, None, False, False)
    said = lines(bare, 41, "albumup wait trip", is_scheduled=False)
    assert said == ["A reboot ends it; to go on after one: albumup resume"]


@pytest.mark.parametrize(
    ("entry", "is_on"),
    [
        (Entry("cron", "albumup", ["/bin/albumup", "--journal", "/j", "retry-failed"]), True),
        (Entry("cron", "albumup", ["/bin/albumup", "--journal", "/other", "resume"]), False),
        (Entry("cron", "albumup", ["/bin/albumup", "--journal", "/j", "push", "/p"]), False),
        (Entry("systemd", "a", ["albumup", "--journal", "/j", "resume"], is_on=False), False),
    ],
)
def test_what_is_scheduled_goes_on_with_all_that_waits(
    monkeypatch: pytest.MonkeyPatch, entry: Entry, is_on: bool
) -> None:
    monkeypatch.setattr(cron, "installed", lambda: [entry])
    monkeypatch.setattr(systemd, "installed", list)
    monkeypatch.setattr(launchd, "installed", list)
    assert goes_on("/j") == is_on


def test_a_computer_with_a_battery_of_its_own_may_sleep(write: Write, tmp_path: Path) -> None:
    write("sys/class/power_supply/AC/type", "Mains\n")
    write("sys/class/power_supply/hidpp_battery_0/type", "Battery\n")
    write("sys/class/power_supply/hidpp_battery_0/scope", "Device\n")
    assert not found(tmp_path).may_sleep
    write("sys/class/power_supply/BAT0/type", "Battery\n")
    assert found(tmp_path).may_sleep


# In words.

MACHINES = [
    Machine(system, logout, lingers, may_sleep)
    for system in System
    for logout in (None, *Logout)
    for lingers in (False, True)
    for may_sleep in (False, True)
]


@pytest.mark.parametrize("machine", MACHINES, ids=repr)
def test_three_lines_of_80_columns_say_it(machine: Machine) -> None:
    said = lines(machine, 4194304, "albumup wait trip", is_scheduled=False)
    assert 1 <= len(said) <= 3
    assert [line for line in said if len(line) > 80] == []
    assert f"albumup schedule {machine.system.value} --install" in said[0]
    assert ("logging out" in " ".join(said).lower()) == (machine.logout is not None)


def test_each_line_says_what_helps_here() -> None:
    def of(*facts: object, is_scheduled: bool = False) -> str:
        return " ".join(
            lines(Machine(*facts), 41, "albumup wait 'my trip'", is_scheduled=is_scheduled)
        )  # type: ignore[arg-type]

    mac = of(System.LAUNCHD, None, False, True)
    assert "caffeinate -i -w 41" in mac
    assert "launchd" in mac
    laptop = of(System.SYSTEMD, None, False, True)
    assert "systemd-inhibit albumup wait 'my trip'" in laptop
    assert "enable-linger" not in laptop
    assert "loginctl enable-linger" in of(System.SYSTEMD, Logout.STOPS_MANAGER, False, False)
    killed = of(System.SYSTEMD, Logout.KILLS, False, False)
    assert "loginctl enable-linger" in killed
    assert "systemd-run --user --scope albumup resume --detach" in killed
    lingering = of(System.SYSTEMD, Logout.KILLS, True, False)
    assert "enable-linger" not in lingering
    assert "systemd-run --user --scope albumup resume --detach" in lingering
    assert of(System.CRON, None, False, False, is_scheduled=True) == ""
