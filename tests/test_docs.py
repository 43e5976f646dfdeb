"""The documentation holds together: its links lead somewhere, and what names a page names one that exists."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.servers import ROOT

_LINK = re.compile(r"\]\(([^)\s]+)\)")
# What make docs builds is in no checkout.
_DOCS_PATH = re.compile(r"(?<![\w/.-])docs/(?!_build)[\w/.-]*\w")
_SOURCE_PATH = re.compile(r"`((?:configs|flows|infra|tasks|tests)/[a-z0-9_./]*[a-z0-9_])/?`")
_FIRST_COLUMN = re.compile(r"^\| [^|]* \|", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _tracked(pattern: str = "*") -> list[Path]:
    names = subprocess.run(  # noqa: S603
        ["git", "ls-files", "-z", pattern],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return [Path(name) for name in names.split("\0") if name and (ROOT / name).is_file()]


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (ROOT / page.parent / path) if path else ROOT / page
    return target.exists() and (not anchor or anchor in _anchors(target))


@pytest.mark.parametrize("page", _tracked("*.md"), ids=str)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    """A link from page to page names a file that exists, and a heading that stands in it."""
    links = _LINK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not _leads_somewhere(page, link)] == []


def test_every_page_that_a_file_names_exists() -> None:
    """Code, settings, errors and pages name only paths under docs/ that exist."""
    missing = []
    for file in _tracked():
        data = (ROOT / file).read_bytes()
        if b"\0" not in data:
            paths = _DOCS_PATH.findall(data.decode(errors="replace"))
            missing += [f"{file}: {path}" for path in paths if not (ROOT / path).exists()]
    assert missing == []


def test_every_page_has_a_line_in_the_index() -> None:
    """Whoever looks for a page finds it in docs/README.md, or in an index that stands there."""
    indexes = [page for page in _tracked("docs/*") if page.name == "README.md"]
    linked = {
        (ROOT / index.parent / link).resolve()
        for index in indexes
        for link in _LINK.findall((ROOT / index).read_text(encoding="utf-8"))
    }
    pages = {page for page in _tracked("docs/*") if page.suffix == ".md" and page != Path("docs/README.md")}
    assert sorted(str(page) for page in pages if (ROOT / page).resolve() not in linked) == []


@pytest.mark.parametrize("page", _tracked("*.md"), ids=str)
def test_every_module_and_folder_that_a_page_names_exists(page: Path) -> None:
    """A path in a page leads to today's code; only the first column of the former names may name what is gone."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.name.startswith("former-"):
        text = _FIRST_COLUMN.sub("", text)
    assert [path for path in _SOURCE_PATH.findall(text) if not (ROOT / path).exists()] == []
