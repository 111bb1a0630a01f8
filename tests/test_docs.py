"""What the documents name exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from albumup.photos.metadata.reader import INSTALL_PHOTOS

ROOT = Path(__file__).parent.parent


def test_every_test_that_the_promise_names_exists() -> None:
    there = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`((?:test_|Test)\w+)`", (ROOT / "docs" / "promise.md").read_text())
    assert len(named) > 40
    assert set(named) - set(re.findall(r"\b(?:test_|Test)\w+", there)) == set()


def test_every_document_that_is_linked_exists() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_links_of_the_readme_hold_wherever_it_is_shown() -> None:
    """A package index shows it without the files beside it."""
    text = (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)]+)\)", re.sub(r"(?m)^    .*$|`[^`]*`", "", text))
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    assert urls
    assert all(url.startswith("https://") and ".example" not in url for url in urls.values())


def test_nothing_says_that_it_is_on_a_package_index() -> None:
    """It is not yet: who installs that name gets whatever has it."""
    texts = [
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "man").iterdir(),
        *(ROOT / "src").rglob("*.py"),
    ]
    wrong = re.compile(
        r"(?:pipx?|tool) (?:install|run)[^\n]* '?albumup\b|'albumup\[|--from albumup"
    )
    assert [path.name for path in texts if wrong.search(path.read_text())] == []


def test_what_is_to_be_installed_for_photos_is_the_extra() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]["photos"]
    assert INSTALL_PHOTOS.split()[3:] == [
        re.split(r"\W", one.replace("-", "_"))[0].replace("_", "-") for one in extra
    ]


def test_the_documents_that_the_readme_names_exist() -> None:
    named = re.findall(r"`((?:docs/)?\w[\w-]*\.md)`", (ROOT / "README.md").read_text())
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []
    pages = re.findall(r"(albumup[\w.-]*)\((\d)\)", (ROOT / "README.md").read_text())
    assert len(pages) > 2
    assert [page for page in pages if not (ROOT / "man" / ".".join(page)).exists()] == []


def test_each_rule_is_where_the_design_says() -> None:
    """The names of a row are in its files, and all of these exist."""
    text = (
        (ROOT / "docs" / "design.md")
        .read_text()
        .partition("## Where a rule is")[2]
        .partition("\n## ")[0]
    )
    rows = re.findall(r"^\| [a-z].* \| (`.*`) \| (.*)\|$", text, re.MULTILINE)
    assert len(rows) > 20
    for files, names in rows:
        sources = [
            (ROOT / "src" / "albumup" / file).read_text()
            for file in re.findall(r"`([^`]+)`", files)
        ]
        for name in re.findall(r"`([^`]+)`", names):
            _, _, last = name.rpartition(".")
            defined = re.compile(
                rf"^ *(?:(?:async )?def|class) {last}\b|^{last}\b.* = ", re.MULTILINE
            )
            assert any(map(defined.search, sources)), f"{name} is in none of {files}"
