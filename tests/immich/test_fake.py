"""The server of the tests, held against the released @immich/sdk of each version, and against
itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from . import fake
from .fake import KEY, VERSIONS, Immich, npm_folder

WHEN = {"fileCreatedAt": "2026-05-01T10:00:00.000Z", "fileModifiedAt": "2026-05-01T10:00:00.000Z"}
DEVICE = {"deviceAssetId": "a", "deviceId": "test"}
PERMISSIONS = {
    "asset.upload", "album.read", "album.create", "albumAsset.create", "sharedLink.create",
    "sharedLink.read", "user.read", "asset.download", "asset.update", "album.delete",
}  # fmt: skip


@pytest.fixture(params=VERSIONS)
def immich(request: pytest.FixtureRequest) -> Iterator[Immich]:
    server = Immich(request.param)
    yield server
    server.close()


def declared(version: str) -> str:
    return (
        npm_folder() / "node_modules" / f"sdk-{version}" / "build" / "fetch-client.d.ts"
    ).read_text()


def fields_of(version: str, name: str) -> dict[str, bool]:
    """The fields of a type of the SDK, and whether each may be left out."""
    found = re.search(
        rf"^export type {name} = \{{(.*?)^\}};", declared(version), re.DOTALL | re.MULTILINE
    )
    assert found is not None, name
    return {
        field: bool(mark)
        for field, mark in re.findall(r'^    "?(\w+)"?(\??):', found[1], re.MULTILINE)
    }


def upload(
    server: Immich, fields: dict[str, str], name: str = "a.jpg", **more: object
) -> requests.Response:
    files = more.pop("files", None) or {
        "assetData": (name, more.pop("data", b"photo"), "image/jpeg")
    }
    headers = {"x-api-key": KEY, **more}  # type: ignore[dict-item]
    return requests.post(
        f"{server.url}/api/assets",
        headers=headers,  # type: ignore[arg-type]
        data=fields,
        files=files,  # type: ignore[arg-type]
        timeout=30,
    )


def test_its_form_has_the_fields_of_the_sdk(immich: Immich) -> None:
    known = immich.tell("fields")
    sdk = fields_of(immich.version, "AssetMediaCreateDto")
    assert {*known["required"], "assetData"} == {
        name for name, optional in sdk.items() if not optional
    }
    assert {*known["optional"], "sidecarData"} == {
        name for name, optional in sdk.items() if optional
    }


def test_its_answers_have_the_fields_of_the_sdk(immich: Immich) -> None:
    sample = immich.tell("sample")
    for name, said in (
        ("AlbumResponseDto", sample["album"]),
        ("SharedLinkResponseDto", sample["link"]),
    ):
        sdk = fields_of(immich.version, name)
        assert said.keys() <= sdk.keys()
        assert said.keys() >= {field for field, optional in sdk.items() if not optional}
    assert fields_of(immich.version, "AssetMediaResponseDto").keys() == {"id", "status"}
    answer = requests.post(
        f"{immich.url}/api/assets/bulk-upload-check", headers={"x-api-key": KEY}, timeout=30,
        json={"assets": [{"id": "1", "checksum": "00" * 20}]},
    )  # fmt: skip
    assert (
        answer.json()["results"][0].keys()
        <= fields_of(immich.version, "AssetBulkUploadCheckResult").keys()
    )
    assert {"id", "success"} <= fields_of(immich.version, "BulkIdResponseDto").keys()
    assert (
        fields_of(immich.version, "ServerVersionResponseDto").keys()
        == requests.get(f"{immich.url}/api/server/version", timeout=30).json().keys()
    )


def test_what_is_asked_for_is_in_the_sdk(immich: Immich) -> None:
    text = declared(immich.version)
    assert all(f'= "{permission}"' in text for permission in PERMISSIONS)
    has_me = "getMyApiKey" in text
    answer = requests.get(f"{immich.url}/api/api-keys/me", headers={"x-api-key": KEY}, timeout=30)
    assert (answer.status_code == 200) == has_me


def test_a_photo_is_created_once(immich: Immich) -> None:
    fields = {**WHEN, **DEVICE}
    answers = [upload(immich, fields), upload(immich, fields)]
    assert [(one.status_code, one.json()["status"]) for one in answers] == [
        (201, "created"),
        (200, "duplicate"),
    ]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    by_header = upload(immich, fields, **{"x-immich-checksum": immich.assets()[0]["sha1"]})
    assert by_header.json()["status"] == "duplicate"
    immich.tell("trash", id=answers[0].json()["id"])
    assert upload(immich, fields).json()["status"] == "duplicate"


def test_before_3_a_device_is_wanted(immich: Immich) -> None:
    assert upload(immich, WHEN).status_code == (400 if immich.version < "3" else 201)


def test_since_3_a_date_needs_its_offset(immich: Immich) -> None:
    naive = {**WHEN, **DEVICE, "fileCreatedAt": "2026-05-01T10:00:00"}
    assert upload(immich, naive).status_code == (201 if immich.version < "3" else 400)


def test_types_are_judged_by_name_and_a_sidecar_by_the_same_name(immich: Immich) -> None:
    refused = upload(immich, {**WHEN, **DEVICE}, "a.txt")
    assert refused.status_code == 400
    assert "Unsupported file type" in str(refused.json()["message"])
    files = {
        "sidecarData": ("a.xmp", b"<x/>", "text/xml"),
        "assetData": ("a.jpg", b"photo", "image/jpeg"),
    }
    assert upload(immich, {**WHEN, **DEVICE, "filename": "a.jpg"}, files=files).status_code == 400
    assert upload(immich, {**WHEN, **DEVICE}, files=files).status_code == 201
    assert immich.assets()[0]["sidecar"]


def test_a_clip_is_hidden_by_its_still(immich: Immich) -> None:
    clip = upload(immich, {**WHEN, **DEVICE}, "a.mov", data=b"clip").json()["id"]
    still = upload(immich, {**WHEN, **DEVICE, "livePhotoVideoId": clip}, "a.jpg", data=b"still")
    assert still.status_code == 201
    assert {one["name"]: one["visibility"] for one in immich.assets()} == {
        "a.mov": "hidden",
        "a.jpg": "timeline",
    }
    no_clip = {**WHEN, **DEVICE, "livePhotoVideoId": still.json()["id"]}
    assert upload(immich, no_clip, data=b"other").status_code == 400


def check(server: Immich, key: str, *checksums: str) -> requests.Response:
    items = [{"id": str(number), "checksum": checksum} for number, checksum in enumerate(checksums)]
    return requests.post(
        f"{server.url}/api/assets/bulk-upload-check",
        headers={"x-api-key": key},
        json={"assets": items},
        timeout=30,
    )


def original(server: Immich, asset_id: str, key: str = KEY, **headers: str) -> requests.Response:
    place = f"{server.url}/api/assets/{asset_id}/original"
    return requests.get(place, headers={"x-api-key": key, **headers}, timeout=30)


def test_keys_and_permissions(immich: Immich) -> None:
    immich.tell("set_key", key="weak", permissions=["album.read"])
    immich.tell("set_key", key="uploads", permissions=["asset.upload"])
    wants_all = immich.version.startswith("1.138")
    for key, status in (
        ("none", 401),
        ("weak", 403),
        ("uploads", 403 if wants_all else 200),
        (KEY, 200),
    ):
        assert check(immich, key, "00" * 20).status_code == status


def test_an_empty_question_is_its_own_fault(immich: Immich) -> None:
    assert check(immich, KEY).status_code == 500


def test_originals_are_there_until_their_file_is_not(immich: Immich) -> None:
    is_new = immich.version >= "3"
    there = immich.put(b"a photo", "a.jpg")
    part = original(immich, there, Range="bytes=0-0")
    assert (part.status_code, part.content) == (206, b"a")
    assert part.headers["Content-Range"] == "bytes 0-0/7"
    assert original(immich, there).content == b"a photo"
    immich.tell("set_key", key="weak", permissions=["asset.upload"])
    assert original(immich, there, "weak").status_code == 403
    immich.tell("lose_file", id=there)
    assert original(immich, there).status_code == (404 if is_new else 500)
    assert original(immich, there.replace(there[:8], "0" * 8)).status_code == (
        404 if is_new else 400
    )


def test_in_maintenance_it_says_little_more_than_that(immich: Immich) -> None:
    immich.tell("set_maintenance", on=True)
    assert requests.get(f"{immich.url}/api/server/ping", timeout=30).json() == {"res": "pong"}
    assert check(immich, KEY, "00" * 20).status_code == 404
    config = requests.get(f"{immich.url}/api/server/config", timeout=30).json()
    assert config.get("maintenanceMode") == (None if immich.version < "2" else True)


def test_without_npms_registry_it_is_tried_once_and_then_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "NPM", tmp_path / "npm")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:1/")
    with pytest.raises(pytest.skip.Exception, match="npm registry"):
        npm_folder()
    monkeypatch.setattr(
        fake, "NODE", "/there/is/none"
    )  # whoever ran it again would fail in another way
    (tmp_path / "npm" / "package.json").unlink()
    with pytest.raises(pytest.skip.Exception, match="npm registry"):
        npm_folder()
    assert not (tmp_path / "npm" / "package.json").exists(), "tried again"
