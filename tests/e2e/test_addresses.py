"""A target with several addresses, from push to resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from immich.fake import KEY, Immich
from receiving import TOKEN, receiving
from servers import FormServer, answer
from short import short_form
from stranger import Stranger

from albumup.config.settings import InboxSettings
from albumup.receive import Store
from albumup.receive.handler import RECEIVER
from albumup.targets.inbox import InboxTarget
from albumup.uploader import asking

from .conftest import Home, until

Open = Callable[..., str]


@pytest.fixture
def opens(tmp_path: Path) -> Iterator[Open]:
    """Opens a receiver on a store, and returns its address; on one store they are one server."""
    with ExitStack() as stack:

        def one(store: str = "store") -> str:
            client = stack.enter_context(receiving(Store(str(tmp_path / store))))
            return "http://{}:{}".format(*client.address)

        yield one


def receiver(home: Home, *urls: str, more: str = "") -> None:
    home.secret(TOKEN)
    home.config(
        f'[targets.nas]\nkind = "inbox"\nurl = {json.dumps(urls)}\n'
        f'token_file = "{home.folder}/token"\n{more}'
    )


def events(out: str, kind: str) -> list[str]:
    lines = [json.loads(line) for line in out.splitlines()]
    return [line["words"] for line in lines if line["event"] == kind]


def flat(text: str) -> str:
    return " ".join(text.split())


def stored(tmp_path: Path, store: str = "store") -> int:
    return len(list((tmp_path / store / "trip").glob("*.JPG")))


GONE = "http://127.0.0.1:9"


def double(receiver: str, **dies: bool) -> Stranger:
    """A server that answers the first question as the receiver would; ``dies`` as of Stranger."""
    target = InboxTarget("nas", InboxSettings(url=receiver, also=(GONE,)), None, "")
    name = target.who_is_at(target.http(), receiver).server
    said = {"/": {"server": "albumup", "version": 1, "store": "x"}}
    return Stranger(said, {RECEIVER: name}, **dies)


def test_the_first_that_answers_is_used_and_the_first_again_later(
    home: Home, opens: Open, tmp_path: Path
) -> None:
    near, far = opens(), opens()
    receiver(home, near, far)
    assert home.run("push", home.photos(2), "--json").returncode == 0
    # The first one is another server now, and is known not to be ours.
    stranger = opens("other")
    receiver(home, stranger, far)
    done = home.run("push", home.photos(2, first=3), "--json")
    assert done.returncode == 0
    assert "2 photos queued (4.0 kB) for nas;" in done.stderr
    said = events(done.stdout, "address")
    assert said == [
        f"{stranger} is another server than the one known by now: nothing is sent there"
    ]
    assert stored(tmp_path) == 4
    assert stored(tmp_path, "other") == 0


def test_a_run_goes_on_at_another_address(home: Home, opens: Open, tmp_path: Path) -> None:
    """The first is gone in the middle of the run: no photo loses a try."""
    far = opens()
    with receiving(Store(str(tmp_path / "store"))) as client:
        near = "http://{}:{}".format(*client.address)
        receiver(home, near, far)
        photos = home.photos(6, size=100_000)
        push = home.start("push", photos, "--json", "--jobs", "1", "--limit-rate", "200K")
        until(lambda: stored(tmp_path) > 1)
    out, err = push.communicate(timeout=60)
    assert push.returncode == 0, err
    assert events(out, "address") == [f"goes on at {far}"]
    assert stored(tmp_path) == 6
    assert home.sql("select max(tries) from task") == [(1,)]


def test_an_address_in_clear_text_waits_until_the_server_is_known(
    home: Home, opens: Open, tmp_path: Path
) -> None:
    far = opens()
    receiver(home, GONE, far)
    done = home.run("push", home.photos(1), "--patience", "0")
    assert done.returncode == 75
    assert f"{far} is not used before {GONE} was reached once" in flat(done.stderr)
    assert stored(tmp_path) == 0
    receiver(home, opens(), far)
    assert home.run("resume").returncode == 0
    # From now on it is known, and the other address does.
    receiver(home, GONE, far)
    assert home.run("push", home.photos(1, first=2)).returncode == 0
    assert stored(tmp_path) == 2


def test_none_that_leads_there_is_a_mistake_of_the_config(home: Home, server: FormServer) -> None:
    server.answer = lambda _: answer(200, {})
    receiver(home, server.url, server.url + "/b")
    done = home.run("push", home.photos(1))
    assert done.returncode == 4
    assert "none of its addresses leads to its server" in flat(done.stderr)
    assert "albumup target check nas" in flat(done.stderr)


@pytest.mark.long
@pytest.mark.parametrize("accepted_at", short_form([1, 0]))
def test_a_known_server_that_is_not_found_is_waited_for(
    home: Home, opens: Open, server: FormServer, tmp_path: Path, accepted_at: int
) -> None:
    """It has accepted photos at one of these addresses, so neither is a mistake of the config; that
    the other is a stranger's is told once."""
    receiver(home, opens(), GONE)
    assert home.run("push", home.photos(1)).returncode == 0
    urls = [opens("other"), server.url]
    receiver(home, *urls)
    home.sql("update target set accepted_url = ? where name = 'nas'", urls[accepted_at])
    done = home.run("push", home.photos(1, first=2), "--patience", "2", "--json")
    assert done.returncode == 75, done.stderr
    assert len(events(done.stdout, "address")) == 1
    assert stored(tmp_path, "other") == 0


def test_an_answer_that_is_lost_with_its_address_costs_no_try(
    home: Home, opens: Open, tmp_path: Path
) -> None:
    """The whole photo had left; the server, found at its other address, does not have it."""
    far = opens()
    with double(far, dies_of_a_photo=True) as near:
        receiver(home, near.url, far, more="settle = 0.1\n")
        done = home.run("push", home.photos(1))
    assert done.returncode == 0, done.stderr
    assert near.is_dead
    assert stored(tmp_path) == 1
    assert home.sql("select tries from task") == [(1,)]


def test_an_address_that_becomes_another_servers_is_noticed_before_a_connection(
    home: Home, opens: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the computer has come to another network, and nothing showed it."""
    monkeypatch.setattr(asking, "_CONFIRMED_SECONDS", 0.0)
    far = opens()
    with double(far) as near:
        near.on_request = lambda: near.headers.update({RECEIVER: "0" * 32})
        receiver(home, near.url, far)
        done = home.run("push", home.photos(3), "--json")
    assert done.returncode == 0, done.stderr
    assert set(near.paths) == {"/"}
    assert TOKEN not in "".join(near.shown)
    assert stored(tmp_path) == 3
    assert home.sql("select distinct tries from task") == [(1,)]


@pytest.mark.long
def test_nobody_else_is_asked_about_a_photo(
    home: Home, opens: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to it was lost, and then the address became another server's."""
    monkeypatch.setattr(asking, "_CONFIRMED_SECONDS", 0.0)
    far = opens()
    with double(far, loses_photos=True) as near:

        def change() -> None:
            if near.paths[-2:] == ["/albums/trip/photos", "/"]:
                near.headers[RECEIVER] = "0" * 32

        near.on_request = change
        receiver(home, near.url, far, more="settle = 0.1\n")
        done = home.run("push", home.photos(1))
    assert done.returncode == 0, done.stderr
    assert set(near.paths) == {"/", "/albums/trip/photos"}
    assert stored(tmp_path) == 1


@pytest.mark.long
def test_nobody_else_is_asked_about_an_album(
    home: Home, immich: Immich, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_CONFIRMED_SECONDS", 0.0)
    history = requests.get(f"{immich.url}/api/server/version-history", timeout=30).json()
    path = "/api/server/version-history"
    with Stranger({"/api/server/ping": {"res": "pong"}, path: history}) as near:

        def change() -> None:
            if near.paths[-1] == path:
                near.said[path] = [{**history[0], "id": "another"}]

        near.on_request = change
        home.secret(KEY)
        home.config(
            f'[targets.home]\nkind = "immich"\nurl = {json.dumps([near.url, immich.url])}\n'
            f'token_file = "{home.folder}/token"\n'
        )
        done = home.run("push", home.photos(2), "--album", "trip")
    assert done.returncode == 0, done.stderr
    assert KEY not in "".join(near.shown)
    assert len(immich.digests()) == 2


def test_another_order_frames_nothing_anew_and_another_address_does(
    home: Home, opens: Open
) -> None:
    one, two = opens(), opens()
    receiver(home, one, two)
    home.run("push", home.photos(1))
    count = "select count(*) from definition"
    before = home.sql(count)[0][0]
    receiver(home, two, one)
    home.run("push", home.photos(1, first=2))
    assert home.sql(count)[0][0] == before
    receiver(home, two)
    home.run("push", home.photos(1, first=3))
    assert home.sql(count)[0][0] == before + 1
    assert home.sql("select server from target") == [("",)]


def test_check_and_verify_use_the_address_that_leads_there(home: Home, opens: Open) -> None:
    near, far = opens(), opens()
    receiver(home, near, far, more="elsewhere = true\n")
    home.run("push", home.photos(1))
    receiver(home, GONE, far, more="elsewhere = true\n")
    check = home.run("target", "check", "nas")
    assert check.returncode == 0
    assert f"address 2: {far}: used now" in check.stdout
    verify = home.run("verify", "trip")
    assert verify.returncode == 0, verify.stderr
    tried = home.run("target", "try", "nas", home.folder / "trip" / "IMG_1.JPG")
    assert tried.returncode == 0
    assert f"> POST {far}/" in tried.stdout


def test_an_immich_at_home_and_away(home: Home, immich: Immich) -> None:
    near, far = immich.url, immich.url.replace("127.0.0.1", "localhost")
    home.secret(KEY)
    table = '[targets.home]\nkind = "immich"\nurl = {}\ntoken_file = "{}"\n'
    home.config(table.format(json.dumps([near, far]), home.folder / "token"))
    assert home.run("push", home.photos(2)).returncode == 0
    home.config(table.format(json.dumps([GONE, far]), home.folder / "token"))
    done = home.run("push", home.photos(2, first=3))
    assert done.returncode == 0, done.stderr
    assert len(immich.digests()) == 4
    assert {task["state"] for task in home.tasks()} == {"uploaded"}
