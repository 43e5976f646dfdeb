"""A release says its version in one way, and what a user sees of it is written down."""

import re
import tomllib
from datetime import date
from itertools import pairwise

from packaging.version import Version

from tests.servers import ROOT

_HEADING = re.compile(r"^## (\S+) \((\d{4}-\d{2}-\d{2})\)$", re.MULTILINE)


def test_the_newest_version_of_the_changelog_is_that_of_the_project() -> None:
    """The changelog begins with what is unreleased; below it stand versions with dates, the newest is pyproject's."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## .*$", text, re.MULTILINE)
    versions = [(Version(version), date.fromisoformat(day)) for version, day in _HEADING.findall(text)]
    assert headings[0] == "## Unreleased"
    assert len(versions) == len(headings) - 1
    assert all(newer > older and day >= before for (newer, day), (older, before) in pairwise(versions))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert versions[0][0] == Version(project["version"])


def test_a_version_has_each_section_once() -> None:
    """Within a version of the changelog no two sections have one heading: what belongs together stands together."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for version in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        sections = re.findall(r"^### .*$", version, re.MULTILINE)
        assert len(sections) == len(set(sections)), version.splitlines()[0]
