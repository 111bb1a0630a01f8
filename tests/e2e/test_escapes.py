"""No command sends a terminal what others wrote: not a server, a file's name, the config, or what
was typed."""

from __future__ import annotations

import os
import re
import signal
import socket
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import pytest
from evil import EVIL, FORGED, EvilServer
from short import short_form
from terminal import Terminal

from albumup.cli import cli

from .conftest import PATIENCE, Home, jpeg

OURS = re.compile(r"\r|\n|\x1b[78]|\x1b\[(?:[ABJK]|2K|\?7[lh]|0m|1m|2m|31m|32m|33m)")
"""All that albumup itself sends besides letters: line ends, colours, and the moves of bars."""
ALBUM = "trip\u202e\u2028x"
"""An album may be called so: it holds no control character."""
NAME = f"\x1b[35m\x1b]0;pwned\x07\r\n{FORGED}\t".encode() + b"\x9b\xff\xe2\x80\xae"
FOLDER = b"trip\x1b[2J\n" + FORGED.encode()
ARGUMENT = EVIL.replace("\0", "")


@dataclass
class Stage:
    """A person who pushed a folder with evil names to evil servers, and all that was shown so
    far."""

    home: Home
    server: EvilServer
    shown: list[tuple[str, str]] = field(default_factory=list)

    @property
    def trip(self) -> bytes:
        return os.fsencode(self.home.folder) + b"/" + FOLDER

    @property
    def photo(self) -> bytes:
        return self.trip + b"/IMG_0" + NAME + b".JPG"

    def run(self, *words: str | bytes, then: Callable[[Terminal], object] | None = None) -> str:
        """What a terminal is sent by a command; ``then`` is done while it runs."""
        terminal = self.home.at_terminal(*words, columns=5000, rows=60, COLUMNS="5000")
        if then is not None:
            then(terminal)
        terminal.end()
        line = " ".join(ascii(os.fsdecode(word)) for word in words)
        text = terminal.painted.decode()  # no byte of it is no text
        assert "Traceback" not in text, text
        self.shown.append((line, text))
        return text


def faults(text: str) -> list[str]:
    """What a terminal would obey, or nobody would see, and lines that were forged."""
    rest = OURS.sub(lambda found: "\n" if found[0] in "\r\n" else "", text)
    bad = [
        ascii(one)
        for one in rest
        if one != "\n" and unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]
    return bad + [line for line in rest.split("\n") if line.strip().startswith(FORGED)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    home, server = Home(tmp_path_factory.mktemp("evil") / "home"), EvilServer()
    stage = Stage(home, server)
    os.mkdir(stage.trip)
    for number in range(6):
        Path(os.fsdecode(stage.trip + b"/IMG_%d" % number + NAME + b".JPG")).write_bytes(
            jpeg(number)
        )
    for name, content in (
        (b"no media.\x1b[2J", b"x"),
        (b"empty\x1b[2J.JPG", b""),
        (b"words\x1b[2J.jpg", b"words"),
    ):
        Path(os.fsdecode(stage.trip + b"/" + name)).write_bytes(content)
    token = home.secret("hush")
    sent = f'token_file = "{token}"\nsettle = 0\n'
    home.config(
        'default_target = "club"\n[targets.club]\nkind = "form"\n'
        f'url = "{server.url}/form/up"\nid = "id"\n'
        'page = "page"\nduplicate = [409]\nresend = "never"\n'
        f'check = "{server.url}/form/me"\n{sent}'
        f'[targets.home]\nkind = "immich"\nurl = "{server.url}/well"\nelsewhere = true\n{sent}'
        f'[targets.nas]\nkind = "inbox"\nurl = "{server.url}/nas"\nelsewhere = true\n{sent}'
        f'[targets.no]\nkind = "immich"\nurl = "{server.url}/no"\n{sent}'
        f'[targets.page]\nkind = "form"\nurl = "{server.url}/page/up"\n'
        f'[targets.moved]\nkind = "inbox"\nurl = "{server.url}/moved"\n'
    )
    for target in ("club", "home", "nas"):
        more = ["--share"] if target == "home" else []
        stage.run(
            "push", stage.trip, "--album", ALBUM, "--target", target, "--retries", "0",
            "--patience", "5s", *more,
        )  # fmt: skip
    yield stage
    home.close()
    server.close()


def evil_config(stage: Stage, text: str) -> str:
    path = stage.home.folder / "evil.toml"
    path.write_text(text)
    return str(path)


STRINGS = (
    '[targets."ev\\u001b[35mil"]\nkind = "form"\nurl = "https://x.example/\\u001b[2J"\n',
    '[targets.a]\nkind = "form\\u001b[35m"\nurl = "https://x.example"\n',
    '[targets.a]\nkind = "form"\nurl = "https://x.example"\n"sh\\u001b[35mare" = 1\n',
    '[targets.a]\nkind = "form"\nurl = "https://x.example"\n'
    'share = "https://x.example/\\u202e\\u009b{album}"\n'
    'message = "\\u001b[35m(.*)"\ntoken_env = "T\\u001b[35m"\n'
    '[targets.a.vars]\n"v\\u001b[35m" = "\\u001b[2J"\n',
)


def push(stage: Stage) -> None:
    push = ("push", stage.trip, "--album")
    stage.run(*push, ALBUM, "--target", "no", "--patience", "0")
    stage.run(*push, ALBUM, "--target", "page", "--patience", "0")
    stage.run(*push, ALBUM, "--target", "nas", "-v", "-n")
    stage.run(*push, ALBUM, "--target", "home", "--share", "--json")
    stage.run(
        *push,
        ALBUM,
        "--url",
        f"{stage.server.url}/moved/x",
        "--field",
        f"k={EVIL}",
        "--patience",
        "0",
    )
    stage.run(*push, EVIL)
    stage.run("push", ARGUMENT, "--files-from", ARGUMENT, "--since", ARGUMENT)
    for text in STRINGS:
        stage.run(*push, ALBUM, "--config", evil_config(stage, text), "-n")


def resume(stage: Stage) -> None:
    stage.run("resume", "--patience", "0", "--retries", "0")
    stage.run("resume", ALBUM, "--json", "--target", "nas")


def retry_failed(stage: Stage) -> None:
    stage.run(
        "retry-failed", ALBUM, "--rejected", "--in-doubt", "--retries", "0", "--target", "club",
        "-v",
    )  # fmt: skip
    stage.run("retry-failed", "--limit-rate", ARGUMENT)


def show(stage: Stage) -> None:
    for more in ((), ("--json",), (ARGUMENT,), ("--target", ARGUMENT)):
        stage.run("status", *more)


def list_(stage: Stage) -> None:
    assert "IMG_0\\x1b[35m" in stage.run("list")
    for more in (("--json",), ("--state", ARGUMENT), (ARGUMENT,)):
        stage.run("list", *more)


def cancel(stage: Stage) -> None:
    stage.run("cancel", ALBUM, ARGUMENT)
    stage.run("cancel", ARGUMENT)
    stage.run("cancel", ALBUM, "--target", "club")


def forget(stage: Stage) -> None:
    stage.run("forget", ARGUMENT)
    stage.run("forget", ALBUM, "--target", "nas")


def share(stage: Stage) -> None:
    link = stage.run("share", ALBUM, "--target", "home")
    assert f"{stage.server.url}/well/share/key%1B" in link
    stage.run("share", ALBUM)


def verify(stage: Stage) -> None:
    stage.run("verify", ALBUM, "-v")
    stage.run("verify", ALBUM, "--deep", "--target", "nas")


def target(stage: Stage) -> None:
    stage.run("target")


def target_list(stage: Stage) -> None:
    stage.run("target", "list")
    for text in STRINGS:
        stage.run("target", "list", "--config", evil_config(stage, text))


def target_show(stage: Stage) -> None:
    stage.run("target", "show", ARGUMENT)
    stage.run("target", "show", "club")
    stage.run("target", "show", "a", "--config", evil_config(stage, STRINGS[-1]))


def target_check(stage: Stage) -> None:
    for name in ("club", "home", "nas", "no", "page", "moved"):
        stage.run("target", "check", name)


def target_try(stage: Stage) -> None:
    for name in ("club", "home", "nas", "no", "page", "moved"):
        stage.run("target", "try", name, stage.photo)
    for number in range(1, 6):
        stage.run("target", "try", "club", stage.photo.replace(b"IMG_0", b"IMG_%d" % number))
    stage.run("target", "try", "club", ARGUMENT)


def target_add(stage: Stage) -> None:
    for mode in ("moved", "page", "no", "nas"):
        stage.run(
            "target", "add", f"new{mode}", f"{stage.server.url}/{mode}", "--token-file", "token"
        )
    stage.run("target", "add", ARGUMENT, ARGUMENT, "--kind", ARGUMENT)


def receive(stage: Stage) -> None:
    """Its lines name what clients call their albums and photos."""

    def visit(terminal: Terminal) -> None:
        port = int(terminal.until_said(r"http://127\.0\.0\.1:(\d+)")[1])
        for path in (
            b"/albums/%1B[35m%0D%0A%C2%9B/photos",
            b"/\x9b[35m\x1b[2J",
            b"/albums/x%1B/ask",
        ):
            part = (
                b'--x\r\nContent-Disposition: form-data; name="file"; filename="'
                + NAME
                + b'"\r\n\r\nx\r\n--x--\r\n'
            )
            head = (
                b"POST %s HTTP/1.1\r\nHost: \x9b5m\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n" % path
            )
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
                line.sendall(
                    head + b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(part), part)
                )
                while line.recv(1 << 16):
                    pass
        terminal.process.send_signal(signal.SIGINT)

    stage.run("receive", FOLDER + b"/store", "-vv", then=visit)
    stage.run("receive", "x", "--host", ARGUMENT)


def schedule(stage: Stage) -> None:
    tools = stage.home.folder / "tools"
    tools.mkdir()
    crontab = tools / "crontab"
    crontab.write_text('#!/bin/sh\n[ "$1" = -l ] && cat "$HOME/tab" || cat "$HOME/tab" >&2\n')
    crontab.chmod(0o755)
    line = f"1 2\x1b[35m * * * x --journal {stage.home.journal} push {EVIL}\x9b[2J"
    evil = line.replace("\n", " ") + " # albumup-push-01234567 (albumup schedule)\n"
    (stage.home.folder / "tab").write_bytes(evil.encode(errors="surrogateescape"))
    stage.home.env["PATH"] = f"{tools}:{stage.home.env['PATH']}"
    stage.run("schedule")
    for kind in ("cron", "systemd", "launchd"):
        stage.run("schedule", kind, "--", "retry-failed", "--limit-rate", ARGUMENT)
        stage.run("schedule", kind, "--remove", "--", "push", stage.trip)
        stage.run("schedule", kind, "--", "push", stage.trip, "--album", ALBUM)
    stage.run("schedule", "cron", "--install")
    stage.run("schedule", ARGUMENT)


def watch(stage: Stage) -> None:
    stage.run(
        "push", stage.trip, "--album", ALBUM, "--target", "page", "--patience", "0", "--detach"
    )
    for more in ((), (ALBUM,), ("--json",), (ARGUMENT,)):
        stage.run("watch", *more)


def wait(stage: Stage) -> None:
    stage.run("wait", ALBUM)
    stage.run("wait", ARGUMENT, "--timeout", ARGUMENT)


def stop(stage: Stage) -> None:
    stage.run("stop", ALBUM, "--target", "page")
    stage.run("stop", ARGUMENT, "--now")


def log(stage: Stage) -> None:
    stage.run(
        "push", stage.trip, "--album", ALBUM, "--target", "page", "--patience", "0", "--detach"
    )
    stage.run("wait", ALBUM, "--timeout", "30s")
    assert "begins: trip\\u202e" in stage.run("log")


def demo(stage: Stage) -> None:
    stage.run("demo", "--keep", stage.photo + b"/below")


def help_(stage: Stage) -> None:
    stage.run("help", ARGUMENT)


def version(stage: Stage) -> None:
    stage.run("version")


TRIED: dict[str, Callable[[Stage], None]] = {
    "push": push,
    "resume": resume,
    "retry-failed": retry_failed,
    "status": show,
    "watch": watch,
    "wait": wait,
    "stop": stop,
    "list": list_,
    "log": log,
    "share": share,
    "verify": verify,
    "target": target,
    "target list": target_list,
    "target show": target_show,
    "target check": target_check,
    "target try": target_try,
    "target add": target_add,
    "receive": receive,
    "schedule": schedule,
    "demo": demo,
    "help": help_,
    "version": version,
    "cancel": cancel,
    "forget": forget,
}


def commands(group: click.Group = cli, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command there is, and those within."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (words := (*before, name))
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, words)


@pytest.mark.parametrize("name", short_form(TRIED, 8))
def test_no_command_sends_a_terminal_what_others_wrote(stage: Stage, name: str) -> None:
    """Nor makes two lines of it. What was typed wrong is others' words, too: it may have been
    pasted."""
    TRIED[name](stage)
    stage.run(*name.split(), f"--no\x1b[35m{EVIL}")
    shown, stage.shown[:] = list(stage.shown), []
    assert len(shown) >= 2
    assert {line: found for line, text in shown if (found := faults(text))} == {}


def test_every_command_is_tried() -> None:
    assert {" ".join(words) for words in commands()} == set(TRIED)


def test_the_servers_words_do_get_there() -> None:
    """What the others look for is a fault."""
    assert faults(f"ok \x1b[31mred\x1b[0m\r\n\x1b[A{EVIL}") != []
    assert faults(f"one\n{FORGED}") == [FORGED]
