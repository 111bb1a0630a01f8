"""The manual says what the program does: made parts are as made now, and nothing is left out or
made up."""

from __future__ import annotations

import plistlib
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from albumup import errors
from albumup.config.file import load
from albumup.journal.states import State
from albumup.photos import leftovers
from albumup.targets.registry import check_all

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import make_docs  # noqa: E402

PAGES = make_docs.pages()
NAMES = [page.name for page in PAGES]
ESCAPES = {
    r"\-": "-",
    r"\(aq": "'",
    r"\(dq": '"',
    r"\(ti": "~",
    r"\(ga": "`",
    r"\(ha": "^",
    r"\e": "\\",
    r"\&": "",
}
ESCAPES |= {r"\(en": "\N{EN DASH}", r"\(ss": "\N{LATIN SMALL LETTER SHARP S}"}


def text_of(name: str) -> str:
    return (ROOT / "man" / name).read_text()


def by_hand(name: str) -> str:
    """A page without its made parts."""
    return re.sub(r'\.\\" made: (?:.*\n)*?\.\\" end\n', "", text_of(name))


def plain(text: str) -> str:
    return re.sub(r"\\(?:\(..|.)", lambda found: ESCAPES[found[0]], text)


def displays(name: str) -> list[str]:
    """What stands in a page to be typed, or put into a file."""
    found = re.findall(r"\.Bd -literal.*\n((?:.*\n)*?)\.Ed\n", by_hand(name))
    return [plain(one) for one in found]


def commands(*before: str) -> Iterator[tuple[str, ...]]:
    group = make_docs.command_of(*before)
    assert isinstance(group, click.Group)
    for name in group.list_commands(click.Context(group)):
        found = make_docs.command_of(*before, name)
        yield (*before, name)
        if isinstance(found, click.Group):
            yield from commands(*before, name)


def page_of(words: tuple[str, ...]) -> str:
    own = f"albumup-{words[0]}.1" if words else ""
    return own if own in NAMES else "albumup.1"


# Made from the program.


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_as_it_would_be_made_now(name: str) -> None:
    assert make_docs.renewed(text_of(name)) == text_of(name), "make it again: ./dev docs"


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_each_option_is_in_the_page_of_its_command(words: tuple[str, ...]) -> None:
    page = text_of(page_of(words))
    options = [option for group in make_docs.options_of(*words).values() for option in group]
    assert options or words
    for option in options:
        assert re.search(rf"^\.It .*Fl {re.escape(option.opts[-1][1:])}\b", page, re.MULTILINE), (
            option.opts
        )


def test_each_command_is_described() -> None:
    for words in commands():
        page = text_of(page_of(words))
        own_page, in_first = f".Nm albumup {words[0]}", f".Ss {words[0]}"
        assert own_page in page or re.search(rf"^{re.escape(in_first)}\b", page, re.MULTILINE), (
            words
        )
        if len(words) > 1:
            assert f".It Ic {words[1]}\n" in page


@pytest.mark.parametrize("kind", ["defaults", "unattended", "common", "form"])
def test_each_key_of_the_config_is_explained(kind: str) -> None:
    page = by_hand("albumup.toml.5")
    keys = [key for key, _, _ in make_docs.keys_of(kind)]
    assert len(keys) > 5
    assert [key for key in keys if f".It Ic {key}\n" not in page] == []


def test_each_view_and_column_is_explained() -> None:
    page = by_hand("albumup-journal.5")
    explained = set(
        re.findall(r"\w+", " ".join(re.findall(r"^\.(?:It )?Va (.*)$", page, re.MULTILINE)))
    )
    columns = {column for of_view in make_docs.views().values() for column in of_view}
    assert len(columns) > 40
    assert columns - explained == set()
    assert set(make_docs.views()) == {
        "v_tasks",
        "v_failed",
        "v_attempts",
        "v_albums",
        "v_throughput",
    }


@pytest.mark.parametrize("name", ["albumup.1", "albumup-journal.5"])
def test_each_state_is_explained(name: str) -> None:
    assert [state for state in State if f".It Cm {state}\n" not in text_of(name)] == []


def test_each_exit_code_is_explained() -> None:
    """Those of the README, and those that an error ends with."""
    section = text_of("albumup.1").split(".Sh EXIT STATUS\n")[1].split(".Sh ")[0]
    explained = {
        int(code)
        for line in re.findall(r"^\.It (.*)$", section, re.MULTILINE)
        for code in re.findall(r"\d+", line)
    }
    table = re.findall(r"^\| ([\d, ]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert explained == {int(code) for line in table for code in re.findall(r"\d+", line)}
    ours = {one.exit_code for one in (errors.AlbumupError, *errors.AlbumupError.__subclasses__())}
    assert len(ours) > 3
    assert ours <= explained


def test_each_variable_of_the_environment_is_explained() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    read = set(re.findall(r'environ(?:\.get\(|\[)"(\w+)"|"(\w+)" in os\.environ', source))
    names = {name for pair in read for name in pair if name} - {
        "COMP_LINE",
        "COMP_WORD",
    }  # between shell and completion
    assert len(names) > 7
    names |= {
        "XDG_CONFIG_HOME",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
    }
    section = text_of("albumup.1").split(".Sh ENVIRONMENT\n")[1].split(".Sh ")[0]
    assert names - set(re.findall(r"\w+", section)) == set()


def test_no_example_names_what_does_not_exist() -> None:
    known = {" ".join(words) for words in commands()}
    typed = 0
    for name in NAMES:
        lines = "".join(displays(name)).replace("\\\n", " ").splitlines()
        for line in lines:
            line = line.replace(" -- ", " | albumup ")  # the command of a schedule
            for words in re.findall(r"albumup ((?!ended)[a-z-]+(?: [a-z]+)?)([^|&]*)", line):
                command = words[0] if words[0] in known else words[0].split()[0]
                assert command in known, line
                options = {
                    opt for one in make_docs.command_of(*command.split()).params for opt in one.opts
                }
                options |= {opt for one in make_docs.command_of().params for opt in one.opts}
                given = re.findall(r"(?<!\S)--?[a-z][a-z-]*", re.split(r"  |--what", words[1])[0])
                assert [one for one in given if one not in options] == [], line
                typed += 1
    assert typed > 30


def test_each_name_of_leftovers_is_in_the_manual() -> None:
    patterns = (leftovers._FOLDERS, leftovers._BY_SUFFIX, leftovers._BY_NAME)
    words = {
        word.lower() for one in patterns for word in re.findall(rb"[A-Za-z@#$_ ]{3,}", one.pattern)
    }
    words |= {one.lstrip(b".") for one in leftovers._LIBRARIES}
    assert len(words) > 20
    page = plain(by_hand("albumup-push.1")).lower().encode()
    assert [word for word in words if word not in page] == []
    shown = next(one for one in displays("albumup-push.1") if "@eaDir" in one)
    for name in re.split(r"  |\n", shown.partition("._*")[0].strip()):
        example = name.replace("*", "IMG_1").encode()
        assert leftovers.is_leftover(example) or leftovers.is_leftover_folder(example), name


# As pages.


@pytest.mark.parametrize("name", NAMES)
def test_mandoc_finds_nothing_to_warn_of(name: str) -> None:
    done = subprocess.run(
        [_mandoc(), "-T", "lint", "-W", "warning", ROOT / "man" / name],
        capture_output=True,
        text=True,
    )
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("name", NAMES)
def test_a_page_fits_into_80_columns(name: str) -> None:
    done = subprocess.run(
        [_mandoc(), "-T", "utf8", "-O", "width=78", ROOT / "man" / name],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = re.sub(r".\x08", "", done.stdout).splitlines()
    assert len(lines) > 30
    assert [line for line in lines if len(line) > 80] == []


def _mandoc() -> str:
    if (found := shutil.which("mandoc")) is None:
        pytest.skip("mandoc is not installed")
    return found


def test_each_page_that_is_referred_to_exists_and_the_first_one_names_them_all() -> None:
    for name in NAMES:
        own = {
            f"{page} {section}"
            for page, section in re.findall(r"^\.Xr (\S+) (\d)", text_of(name), re.MULTILINE)
        }
        ours = {one for one in own if one.startswith("albumup")}
        assert {one.replace(" ", ".") for one in ours} <= set(NAMES), name
        assert name == "albumup.1" or "albumup 1" in ours
    see_also = text_of("albumup.1").split(".Sh SEE ALSO\n")[1].split(".Sh ")[0]
    named = {
        f"{page}.{section}"
        for page, section in re.findall(r"^\.Xr (\S+) (\d)", see_also, re.MULTILINE)
    }
    assert named == set(NAMES) - {"albumup.1"}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_typed_can_be_copied_from_a_page(name: str) -> None:
    """A bare hyphen, quote or tilde may come out as another character."""
    for display in re.findall(r"\.Bd -literal.*\n((?:.*\n)*?)\.Ed\n", by_hand(name)):
        assert re.sub(r"\\\(..|\\-", "", display).translate(
            {ord(one): None for one in "-'~^`"}
        ) == re.sub(r"\\\(..|\\-", "", display)


def test_all_of_it_is_in_the_wheel_where_it_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {
        **{f"man/{name}": f"share/man/man{name[-1]}/{name}" for name in NAMES},
        "completion/albumup": "share/bash-completion/completions/albumup",
        "completion/_albumup": "share/zsh/site-functions/_albumup",
        "completion/albumup.fish": "share/fish/vendor_completions.d/albumup.fish",
    }
    assert all((ROOT / file).is_file() for file in shared)
    assert sorted(path.name for path in (ROOT / "man").iterdir()) == sorted(NAMES)


# What is to be put into a file.


@pytest.mark.parametrize("name", ["albumup.toml.5", "albumup-receive.1", "albumup-targets.7"])
def test_each_example_of_a_config_file_is_read(name: str, tmp_path: Path) -> None:
    tables = [one for one in displays(name) if re.match(r"default_target|\[targets", one)]
    assert tables
    for number, table in enumerate(tables):
        file = tmp_path / f"{number}.toml"
        # A literal token is none of the examples', so that one has to be named.
        file.write_text(table.replace('resend = "never"', 'resend = "never"\ntoken_file = "token"'))
        check_all(load(str(file)))


def test_the_files_for_schedulers_are_well_formed() -> None:
    found = displays("albumup-cron.7")
    plist = plistlib.loads(next(one for one in found if "<plist" in one).encode())
    assert plist["ProgramArguments"][1:] == ["retry-failed"]
    for script in [one for one in found if one.startswith("#!/bin/sh")]:
        subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    service = next(one for one in found if "[Service]" in one)
    assert "SuccessExitStatus=75" in service
    assert "Persistent=true" in next(one for one in found if "[Timer]" in one)
    assert shlex.split(re.search(r"ExecStart=(.*)", service)[1])[1:] == ["retry-failed"]  # type: ignore[index]


def test_the_units_are_right_to_systemd(tmp_path: Path) -> None:
    if (tool := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    found = displays("albumup-cron.7")
    service = next(one for one in found if "[Service]" in one)
    (tmp_path / "albumup.service").write_text(
        re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", service)
    )
    (tmp_path / "albumup.timer").write_text(next(one for one in found if "[Timer]" in one))
    units = [tmp_path / "albumup.service", tmp_path / "albumup.timer"]
    done = subprocess.run(
        [tool, "--user", "verify", "--man=no", *units],
        env={"XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def recipes() -> list[list[str]]:
    """The commands for may_run."""
    shown = [one for one in displays("albumup-cron.7") if one.startswith("may_run")]
    texts = "".join(shown).split("may_run = ")[1:]
    return [tomllib.loads(f"may_run = {one}")["may_run"] for one in texts]


@pytest.mark.parametrize(
    ("words", "tool", "yes", "no"),
    [
        (
            "nmcli",
            "nmcli",
            "echo GENERAL.METERED:no; echo 'GENERAL.METERED:no (guessed)'",
            "echo GENERAL.METERED:no; echo 'GENERAL.METERED:yes (guessed)'",
        ),
        (
            "pmset",
            "pmset",
            "echo \"Now drawing from 'AC Power'\"",
            "echo \"Now drawing from 'Battery Power'\"",
        ),
        ("date", "date", "echo 23", "echo 08"),
        ("date", "date", "echo 05", "echo 21"),
        ("on_ac_power", "on_ac_power", "exit 255", "exit 1"),
    ],
)
def test_the_commands_that_give_leave_say_yes_and_no(
    tmp_path: Path, words: str, tool: str, yes: str, no: str
) -> None:
    (recipe,) = [one for one in recipes() if words in " ".join(one)]
    codes = []
    for said in (yes, no):
        (tmp_path / tool).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / tool).chmod(0o755)
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        codes.append(subprocess.run(recipe, env=env, capture_output=True).returncode)
    assert codes[0] == 0
    assert codes[1] != 0


def test_on_mains_is_seen_where_the_kernel_says_it(tmp_path: Path) -> None:
    (recipe,) = [one for one in recipes() if "power_supply" in " ".join(one)]
    supply = tmp_path / "power_supply"
    script = recipe[-1].replace("/sys/class/power_supply", str(supply))
    codes = [subprocess.run(["sh", "-c", script]).returncode]
    for online in ("1", "0"):
        (supply / "AC").mkdir(parents=True, exist_ok=True)
        (supply / "AC" / "online").write_text(f"{online}\n")
        codes.append(subprocess.run(["sh", "-c", script]).returncode)
    assert codes[:2] == [0, 0]
    assert codes[2] != 0


def test_a_config_file_takes_what_is_shown_for_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(next(one for one in displays("albumup-cron.7") if "on_done" in one))
    unattended = load(str(config)).defaults.unattended
    assert (unattended.on_done[0], unattended.ping) == ("curl", "https://hc.example.org/ID")


def test_the_service_of_a_card_is_right_to_systemd(tmp_path: Path) -> None:
    if (tool := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    service = next(one for one in displays("albumup-cron.7") if "EOS_DIGITAL" in one)
    assert len(re.findall(r"=run-media-anna-EOS_DIGITAL\.mount$", service, re.MULTILINE)) == 2
    (tmp_path / "albumup-card.service").write_text(
        re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", service)
    )
    done = subprocess.run(
        [tool, "--user", "verify", "--man=no", tmp_path / "albumup-card.service"],
        env={"XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
