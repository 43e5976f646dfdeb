"""Rules of the house that no linter knows."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.servers import ROOT

_LONGEST = 300
_CODE = ("configs", "flows", "infra", "tasks")
# What several test files share; each says in its first line what it makes.
_HELPERS = {
    "flows/made_store.py",
    "infra/conftest.py",
    "infra/journey.py",
    "infra/running.py",
    "tasks/deciding.py",
    "tasks/domain/measurements.py",
    "tasks/domain/images/conftest.py",
    "tasks/domain/picture_hashes.py",
    "tasks/domain/tool_manifests.py",
    "tasks/domain/pictures.py",
    "tasks/half_nights.py",
    "tasks/lossy_sources.py",
    "tasks/modeling/chance.py",
    "tasks/modeling/conftest.py",
    "tasks/modeling/lessons.py",
    "tasks/modeling/processes.py",
    "tasks/modeling/same.py",
    "tasks/reports/reports.py",
    "tasks/taken_over.py",
}
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
    unwanted_texts = [(path, match.group()) for path, text in _tracked_texts() if (match := unwanted.search(text))]
    assert unwanted_texts == []


def test_tests_stand_where_their_subject_stands() -> None:
    """A test file names a module or package of the code by its path, and an aspect where one file is not enough."""
    files = [path for folder in _CODE for path in (ROOT / "tests" / folder).rglob("*.py")]
    names = {path: path.relative_to(ROOT / "tests").as_posix() for path in files if path.name != "__init__.py"}
    assert sorted(name for path, name in names.items() if name not in _HELPERS and not _subject(path)) == []
    assert sorted(_HELPERS - set(names.values())) == []


def _subject(test: Path) -> bool:
    """Return whether the file's name, or its first words, is a module or package beside which it would stand."""
    folder = ROOT / test.relative_to(ROOT / "tests").parent
    prefix, *words = test.stem.split("_")
    names = ["_".join(words[:end]) for end in range(1, len(words) + 1)]
    return prefix == "test" and any((folder / f"{name}.py").is_file() or (folder / name).is_dir() for name in names)


def _tracked_texts() -> Iterator[tuple[Path, str]]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607
    for name in filter(None, names.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (data := path.read_bytes()):
            yield Path(name), data.decode(errors="replace")
