"""What is installed from a wheel holds all that the checkout does."""

import json
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.servers import ROOT
from tests.wheels import Installed, install_wheel

# Everything that the code reads beside itself: settings, weights, deployments, the served model's entry point.
COMMAND = """
import json
import flows.cli.app
from configs.environment import code_version, lock_hash
from flows.demo import demo_settings
from infra.orchestration import deployments
from pathlib import Path
from tasks.domain.datasets.version_diff import diff_versions
from tasks.modeling.backbone.loading import load_backbone
from tasks.reports.pages.diff_page import render_version_diff
from tasks.serving import carried_code, probe_process
settings = demo_settings(Path("place"))
print(json.dumps({
    "home": flows.cli.app.__file__,
    "lock": lock_hash(),
    "commit": code_version()["git_commit"],
    "backbone": load_backbone(settings.backbone).fingerprint,
    "deployments": deployments._FILE.is_file(),
    "probe": probe_process._PROGRAM.is_file(),
    "page": render_version_diff("a", "b", diff_versions([], []), {}).startswith("<!doctype html>"),
    "code": all(
        (carried_code._ROOT / path).is_file()
        for engine in ("tensorflow", "onnxruntime")
        for path in carried_code.carried_code(engine)
    ),
}))
"""


_ROOMS = ("configs", "flows", "infra", "tasks")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install a wheel of this checkout."""
    return install_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(installed: Installed) -> list[str]:
    """Return the files of the wheel."""
    return zipfile.ZipFile(installed.wheel).namelist()


def test_a_wheel_holds_everything_that_runs(installed: Installed, tmp_path: Path) -> None:
    """Far from the checkout it finds its settings, the demo's weights, the deployments, and its own commit."""
    answer = json.loads(_run(tmp_path, str(installed.python), "-c", COMMAND))
    assert answer.pop("home").startswith(str(installed.python.parents[1]))
    assert answer.pop("commit") == _git("rev-parse", "HEAD")
    assert all(answer.values())


def test_a_wheel_holds_nothing_that_only_a_checkout_needs(names: list[str]) -> None:
    """Its top-level names are our four packages: no tests, locks, scripts for Debian, or definitions of images."""
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == set(_ROOMS)
    unwanted = re.compile(r"\.lock$|\.in$|debian|ceph|Containerfile|compose|kubernetes/|monitoring/|scripts/|conf\.py$")
    assert [name for name in names if unwanted.search(name)] == []


def test_a_wheel_brings_the_pages_that_its_messages_name(
    installed: Installed, names: list[str], tmp_path: Path
) -> None:
    """Each page that a sentence of the code names is shown by ``pedigree docs``, which needs no checkout."""
    sources = [path for room in _ROOMS for path in (ROOT / room).rglob("*") if path.suffix in {".py", ".yaml"}]
    pages = {page for path in sources for page in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))}
    assert len(pages) > 10
    assert {f"flows/{page}" for page in pages} <= set(names)
    text = _run(tmp_path, str(installed.program), "docs", "docs/how-to/s3.md")
    assert "Use S3" in text


def test_a_wheel_says_what_it_is_and_where_a_settings_file_comes_from(installed: Installed, tmp_path: Path) -> None:
    """The version names the commit; a file without settings leads to the command that writes one, which is there."""
    digits = _git("rev-parse", "HEAD")[:12]
    assert f"commit {digits}" in _run(tmp_path, str(installed.program), "--version")
    empty = tmp_path / "empty.yaml"
    empty.touch()
    assert "pedigree init writes one" in _run(tmp_path, str(installed.program), "retrain", "-c", str(empty), code=2)
    _run(tmp_path, str(installed.program), "init", "settings.yaml", "--yes")
    schema = re.search(r"\$schema=(\S+)", (tmp_path / "settings.yaml").read_text(encoding="utf-8"))
    assert schema
    assert Path(schema[1]).is_file()


def _run(folder: Path, *command: str, code: int = 0) -> str:
    """Run a command in another folder; return what it says."""
    environment = {**os.environ, "PEDIGREE_HOME": str(folder / "home")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
    assert done.returncode == code, done.stderr
    return done.stdout + (done.stderr if code else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607 - our own words
