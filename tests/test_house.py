"""Rules of the house that no linter knows."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers import ROOT

_LONGEST = 300
# Written in pieces, so that this file is not what it looks for.
_REGISTRIES = "|".join(
    ("pypi" + r"\.org", "pythonhosted" + r"\.org", "--" + "index-url", "--extra-" + "index", "--find-" + "links")
)
_PRIVATE = "|".join((r"(?<![\w}.])/" + r"(?:work|root|home|Users)/\w", r"\.pyenv" + "/"))


def test_no_python_file_is_too_long_to_read() -> None:
    """A module has at most 300 lines; what grows beyond holds two things."""
    lengths = {path: len(text.splitlines()) for path, text in _tracked_texts() if path.suffix == ".py"}
    assert {path: lines for path, lines in lengths.items() if lines > _LONGEST} == {}


def test_no_file_names_a_registry_or_a_private_path() -> None:
    """Whoever installs decides where packages come from, and no file knows somebody's machine."""
    unwanted = re.compile(f"{_REGISTRIES}|{_PRIVATE}")
    found = [(path, match.group()) for path, text in _tracked_texts() if (match := unwanted.search(text))]
    assert found == []


def _tracked_texts() -> Iterator[tuple[Path, str]]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            yield Path(name), data.decode(errors="replace")
