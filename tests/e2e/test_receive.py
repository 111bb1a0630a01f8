"""receive: the receiving server, and another machine's push to it."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable

import pytest

from .conftest import COMMAND, PATIENCE, Home, finish, until

TOKEN = "a-long-random-line-of-some-club"
Serve = Callable[..., str]


@pytest.fixture
def serve(home: Home) -> Serve:
    """Start ``albumup receive`` for the folder ``received`` and return its URL."""

    def start(*args: object) -> str:
        process = home.start("receive", "received", "--token-file", home.secret(TOKEN), *args)
        assert process.stderr is not None
        found = until(
            lambda: re.search(r"at (http://\S+);", process.stderr.readline()), "it listens"
        )
        return str(found[1])

    return start


def configure(home: Home, url: str, token: str = TOKEN) -> None:
    file = home.secret(token, "client-token")
    home.config(
        f'[targets.nas]\nkind = "inbox"\nurl = "{url}"\ntoken_file = "{file}"\nsettle = 0\n'
    )


def received(home: Home, album: str = "trip") -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in (home.folder / "received" / album).iterdir()
        if path.is_file()
    }


def test_a_push_to_a_receiver_ends_with_the_same_bytes_there(home: Home, serve: Serve) -> None:
    configure(home, serve())
    trip = home.photos(5)
    assert home.run("target", "check", "nas").returncode == 0
    done = home.run("push", trip)
    assert done.returncode == 0
    assert "on this computer" not in done.stderr
    assert received(home) == {path.name: path.read_bytes() for path in trip.iterdir()}
    home.run("forget", "trip")
    assert home.run("push", trip).returncode == 0
    assert home.album()["counts"]["duplicate"] == 5


def test_a_wrong_token_ends_with_4_and_nothing_is_taken(home: Home, serve: Serve) -> None:
    configure(home, serve(), token="another-long-random-line-of-a-club")
    done = home.run("push", home.photos(2))
    assert done.returncode == 4
    assert "401" in done.stderr
    assert home.album()["counts"]["pending"] == 2
    assert home.run("target", "check", "nas").returncode == 4


@pytest.mark.long
def test_a_rehearsal_of_the_worst_ends_with_every_photo_there_once(
    home: Home, serve: Serve
) -> None:
    configure(home, serve("--faults", "drop=15%,503=10%,lost-answer=15%"))
    trip = home.photos(40)
    home.run("push", trip, "--retries", "20")
    for _ in range(5):
        if home.run("resume", "--retries", "20").returncode == 0:
            break
    counts = home.album()["counts"]
    assert counts["uploaded"] + counts["duplicate"] == 40
    assert received(home) == {path.name: path.read_bytes() for path in trip.iterdir()}
    assert home.sql("select count(*) from v_attempts where outcome <> 'uploaded'") != [(0,)]


EVERY_FAULT = (
    "drop=8%,lost-answer=8%,cut-answer=5%,garbage=5%,page=5%,"
    "429=4%,500=4%,503=8%,stall=#9,slow=#12,drop=#1"
)


@pytest.mark.long
def test_a_form_that_meets_every_fault_at_once_loses_nothing(home: Home) -> None:
    """As README says: two terminals, what the first one says is typed in the second."""
    process = home.start("receive", "copies", "--faults", EVERY_FAULT)
    assert process.stderr is not None
    said = until(
        lambda: re.search(r"--url '(http://\S+)'", process.stderr.readline()),
        "it says what to type",
    )
    home.config(f'[targets.rehearsal]\nkind = "form"\nurl = "{said[1]}"\ntimeout = 2\n')
    trip = home.photos(60, size=300_000)
    code = home.run("push", trip, "--patience", "30").returncode
    for _ in range(20):
        if code == 0:
            break
        code = home.run("retry-failed", "trip").returncode
    assert code == 0, home.states()
    copies = home.folder / "copies/trip"
    assert {path.name: path.read_bytes() for path in copies.iterdir()} == {
        path.name: path.read_bytes() for path in trip.iterdir()
    }
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.returncode == 0
    assert "Received 60 photos (18.0 MB) into trip." in ended.stderr
    wrong = ended.stderr.partition("Went wrong on purpose: ")[2]
    assert {"drop", "lost-answer", "stall", "slow", "503"} <= set(
        re.findall(r"\d+ ([\w-]+)", wrong)
    )


@pytest.mark.long
def test_a_stalled_answer_is_given_up_after_the_silence_limit(home: Home, serve: Serve) -> None:
    configure(home, serve("--faults", "stall=100%"))
    with home.config_file.open("a") as config:
        config.write("timeout = 1\n")
    done = home.run("push", home.photos(1), "--retries", "0", "--patience", "0")
    assert done.returncode in (3, 75)
    assert home.album()["counts"]["uploaded"] == 0


def test_another_host_needs_a_token_file(home: Home) -> None:
    done = home.run("receive", "received", "--host", "0.0.0.0")
    assert done.returncode == 2
    assert "--token-file" in done.stderr
    assert not (home.folder / "received").exists()


def test_a_token_file_that_others_can_read_is_refused(home: Home) -> None:
    token = home.secret(TOKEN)
    token.chmod(0o644)
    done = home.run("receive", "received", "--token-file", token)
    assert done.returncode in (2, 4)
    assert "chmod 600" in done.stderr
    assert TOKEN not in done.stderr


def test_unknown_faults_are_refused_by_name(home: Home) -> None:
    done = home.run("receive", "received", "--faults", "flood=5%")
    assert done.returncode == 2
    assert "'flood'" in done.stderr


def test_a_port_that_is_taken_is_said(home: Home, serve: Serve) -> None:
    port = serve().rpartition(":")[2]
    done = home.run("receive", "other", "--port", port)
    assert done.returncode == 1
    assert port in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it(home: Home, number: signal.Signals) -> None:
    process: subprocess.Popen[str] = home.start("receive", "received")
    assert process.stderr is not None
    assert "Ctrl-C ends it" in process.stderr.readline()
    process.send_signal(number)
    done = finish(process)
    assert done.returncode == 0
    assert done.stderr.endswith("Nothing was received.\n")


def test_what_it_says_to_type_goes_the_right_way(home: Home) -> None:
    """With a token another machine sets it up; without, it is pushed to at once."""
    secret = home.secret(TOKEN)
    process = home.start("receive", "received", "--host", "0.0.0.0", "--token-file", secret)
    assert process.stderr is not None
    process.stderr.readline()
    said = re.fullmatch(
        r"On the other machine: albumup target add NAME http://(\S+):(\d+)\n",
        process.stderr.readline(),
    )
    assert said
    assert said[1] == socket.gethostname()
    added = home.run("target", "add", "nas", f"http://127.0.0.1:{said[2]}", "--token-file", secret)
    assert added.returncode == 0
    assert home.run("push", home.photos(2)).returncode == 0
    assert home.run("push", home.folder / "trip", "--album", "again",
                    "--url", f"http://127.0.0.1:{said[2]}",
                    "--token-file", secret).returncode == 4  # fmt: skip
    assert home.run("push", home.folder / "trip").returncode == 0
    process.send_signal(signal.SIGINT)
    assert "Received 2 photos (4.0 kB) into trip." in finish(process).stderr


def test_idle_clients_keep_nobody_out(home: Home) -> None:
    """More of them than there are descriptors."""
    command = f"ulimit -n 64; exec {' '.join(COMMAND)} receive in --port 0"
    process = home.start(launch=["bash", "-c", command])
    assert process.stderr is not None
    try:
        port = int(re.search(r":(\d+);", process.stderr.readline())[1])  # type: ignore[index]
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(150)]
        for _ in range(3):
            honest = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            honest.request("GET", "/")
            assert honest.getresponse().status == 200
            honest.close()
        for connection in idle:
            connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def test_300_strangers_cost_little_and_keep_nobody_out(home: Home, serve: Serve) -> None:
    """Each holds a head that is as long as it may be, and does not end it."""
    url = serve()
    configure(home, url)
    address = ("127.0.0.1", int(url.rpartition(":")[2]))
    process = home.started[-1]
    before = resident(process.pid)
    head = b"GET / HTTP/1.1\r\n" + b"".join(
        b"X-%d: %s\r\n" % (number, b"y" * 8000) for number in range(8)
    )
    strangers = [socket.create_connection(address) for _ in range(300)]
    for stranger in strangers:
        with contextlib.suppress(OSError):  # it has made room for another
            stranger.sendall(head)
    done = home.run("push", home.photos(8))
    grown = resident(process.pid) - before
    print(
        f"{before / 1e6:.0f} MB, and {grown / 1e6:.0f} MB more with "
        f"{len(strangers)} unfinished heads"
    )
    for stranger in strangers:
        stranger.close()
    assert done.returncode == 0
    assert home.sql("select outcome, count(*) from v_attempts group by outcome") == [
        ("uploaded", 8)
    ]
    assert grown < 64e6, "before there was a bound, 150 took 954 MB"


def resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
