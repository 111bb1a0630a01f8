"""A form's rules as a person sees them: a "no" inside a 2xx, refusals in words, proofs, names."""

from __future__ import annotations

import hashlib
import json

import pytest
from servers import FormServer, Received, Step, answer

from .conftest import Home

TOKEN = "hush-7f3a-do-not-tell"


@pytest.mark.process
def test_a_2xx_whose_json_says_no_is_no_success_and_its_words_are_shown(
    home: Home, server: FormServer
) -> None:
    said = {"success": False, "message": f"Missing album \x1b[31m\u202e for {TOKEN}"}
    server.answer = lambda _: answer(200, json.dumps(said).encode())
    home.form(server, f'token_file = "{home.secret(TOKEN)}"\n')
    done = home.run("push", home.photos(2), "--retries", 0)
    assert done.returncode == 3
    assert set(home.states().values()) == {"in_doubt"}
    for text in (done.stderr, home.run("list").stdout, home.run("status", "trip").stdout):
        assert TOKEN not in text
        assert "\x1b" not in text and "\u202e" not in text
    assert "Missing album" in done.stderr
    assert all("Missing album" in task["error"] for task in home.tasks())
    tried = home.run("target", "try", "club", home.photos(1) / "IMG_1.JPG")
    assert tried.returncode == 3
    assert "\x1b" not in tried.stdout and TOKEN not in tried.stdout
    assert "Missing album" in tried.stdout.partition("verdict: ")[2]


def test_a_refusal_in_words_ends_the_target_and_not_its_photos(
    home: Home, server: FormServer
) -> None:
    server.answer = lambda _: answer(200, b'{"status": "error", "message": "Kontingent voll"}')
    home.form(server, 'refused_text = "Kontingent"\nfailure_text = "error"\n')
    done = home.run("push", home.photos(3), "-j1")
    assert done.returncode == 4
    assert "Kontingent voll" in done.stderr
    assert set(home.states().values()) == {"pending"}
    assert len(server.ledger) == 1
    server.answer = lambda _: answer(200, {})
    assert home.run("resume").returncode == 0


def test_a_target_by_options_has_words_too(home: Home, server: FormServer) -> None:
    def said(one: Received) -> Step:
        return answer(
            200,
            b"<html>Zu gross" if one.filename == "IMG_2.JPG" else b"<html>Danke",
            mime="text/html",
        )

    server.answer = said
    words = ("--success-text", "Danke", "--failure-text", "Zu gross")
    assert home.run("push", home.photos(2), "--url", server.url, *words).returncode == 3
    assert home.states() == {"IMG_1.JPG": "uploaded", "IMG_2.JPG": "rejected"}
    bad = home.run("push", home.photos(1, "other"), "--url", server.url, "--success-text", "(")
    assert bad.returncode == 2
    assert "--success-text" in bad.stderr
    lone = home.run("push", home.photos(1, "other"), "--failure-text", "x")
    assert lone.returncode == 2
    assert "--url" in lone.stderr


def test_a_proof_may_ask_for_a_digest_that_was_not_made_when_the_photos_were_prepared(
    home: Home, server: FormServer
) -> None:
    photos = home.photos(2)
    digests = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in photos.iterdir()}
    digests["IMG_2.JPG"] = "0" * 32
    server.answer = lambda _: answer(401, {})
    home.form(server)
    assert home.run("push", photos, "-j1").returncode == 4
    server.answer = lambda one: answer(200, json.dumps({"md5": digests[one.filename]}).encode())
    home.form(server, 'proof = "md5 == {md5}"\n')
    done = home.run("resume", "--retries", 0)
    assert done.returncode == 3
    assert home.states() == {"IMG_1.JPG": "uploaded", "IMG_2.JPG": "in_doubt"}
    assert "0" * 32 in done.stderr


@pytest.mark.long
def test_a_server_that_stores_by_name_in_one_folder_keeps_the_photos_of_all_albums(
    home: Home, server: FormServer
) -> None:
    """Also those of an album that was forgotten; and no photo is sent under two names."""
    stored: dict[str, str] = {}

    def store(one: Received) -> Step:
        stored[one.filename.lower()] = one.sha256
        return answer(200, {})

    server.answer = store
    home.form(server)
    names = {"one": "IMG_1.JPG", "two": "img_1.jpg", "three": "IMG_1.JPG", "four": "IMG_1.JPG"}
    for number, (album, name) in enumerate(names.items(), 1):
        (home.photos(1, album, number) / f"IMG_{number}.JPG").rename(home.folder / album / name)
        # The last album goes by another target to the same place.
        where = (
            ("--url", server.url, "--field", "by=anna") if album == "four" else ("--target", "club")
        )
        assert home.run("push", home.folder / album, *where).returncode == 0
        if album == "two":
            assert home.run("forget", "two").returncode == 0
    digests = {
        hashlib.sha256((home.folder / album / name).read_bytes()).hexdigest()
        for album, name in names.items()
    }
    assert set(stored.values()) == digests
    assert len(server.ledger) == len(names)
    assert {task["sent_as"] for task in home.tasks()} == {"IMG_1.JPG", "IMG_1-3.JPG", "IMG_1-4.JPG"}


def test_albums_that_the_address_names_keep_their_names(home: Home, server: FormServer) -> None:
    home.config(f'[targets.club]\nkind = "form"\nurl = "{server.url}/{{album}}"\n')
    for album in ("one", "two"):
        assert home.run("push", home.photos(1, album)).returncode == 0
    assert server.names == ["IMG_1.JPG", "IMG_1.JPG"]
