"""Runs that run at once on one store: one is stopped in the middle, another runs from its beginning to its end."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tasks.domain.datasets.splits import Shares, assign_splits
from tasks.stores.store import Store
from tests.servers import PrefectServer

SETTINGS = """
source: {{url: "{source}"}}
store: {{url: "{store}"}}
dataset: {{min_images_per_class: 5}}
"""
# Runs the command line; as soon as the named function has done its work once, it says so and waits for a line.
COMMAND = """
import importlib, sys
from functools import reduce
module, _, path = sys.argv.pop(1).partition(":")
if module:
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, importlib.import_module(module))
    work = getattr(owner, name)
    def stopped(*arguments, **named):
        setattr(owner, name, work)
        done = work(*arguments, **named)
        print("stopped", flush=True)
        sys.stdin.readline()
        return done
    setattr(owner, name, stopped)
from flows.cli.app import app
app(sys.argv[1:])
"""
Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(prefect_server: PrefectServer, tmp_path: Path) -> Begin:
    """Begin a rebuild in a process of its own; where a function is named, return as soon as it waits there."""
    assert prefect_server.api_url

    def run(source: Path, store: str, stop: str = "") -> subprocess.Popen[str]:
        settings = tmp_path / f"{source.name}.yaml"
        settings.write_text(SETTINGS.format(source=source, store=store))
        command = [sys.executable, "-c", COMMAND, stop, "data", "rebuild", "-c", str(settings), "--json"]
        run = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert run.stdout
        assert not stop or run.stdout.readline() == "stopped\n"
        return run

    return run


def ended(run: subprocess.Popen[str]) -> dict[str, Any]:
    """Let a run go on to its end, and return what it printed."""
    output, complaint = run.communicate("go on\n")
    assert run.returncode == 0, complaint
    answer: dict[str, Any] = json.loads(output)
    return answer


def pedigree(*arguments: str) -> dict[str, Any]:
    """Run a command that must end well, and return the object that it prints."""
    command = [sys.executable, "-c", COMMAND, "", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own command line
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_two_runs_that_fetch_the_same_at_once(begin: Begin, url: str, tmp_path: Path) -> None:
    """Of 300 images that two runs fetch at once each counts once, for both, and for whoever looks afterwards."""
    random = np.random.default_rng(0)
    for breed in ("boxer", "pug"):
        (tmp_path / "photos" / breed).mkdir(parents=True)
        for number in range(150):
            picture = Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8))
            picture.save(tmp_path / "photos" / breed / f"{number}.jpg")
    first = begin(tmp_path / "photos", url, "tasks.stores.tables.images:ImageStore.add")
    second = ended(begin(tmp_path / "photos", url))
    versions = [second["dataset"], ended(first)["dataset"]]
    assert [version["images"] for version in versions] == [300, 300]
    assert versions[0] == versions[1]
    assert list(Store(url).snapshots.pending(str(tmp_path / "photos"))) == []
    assert len(Store(url).images.stored()) == len(Store(url).manifests.read(versions[0]["hash"])) == 300
    verified = pedigree("data", "verify", "latest", "--store", url)
    assert (verified["images"], verified["damage"]) == (300, [])


def test_two_runs_that_choose_splits_at_once(begin: Begin, url: str, photos: Path, tmp_path: Path) -> None:
    """Photographs and their re-encodings, that two runs meet at once, share their splits in both versions."""
    for path in (path for breed in sorted(photos.glob("[!.]*/"))[:3] for path in breed.glob("*.jpg")):
        for source, quality in (("one", 95), ("two", 60)):
            copy = tmp_path / source / path.parent.name / path.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            Image.open(path).convert("RGB").save(copy, quality=quality)
    first_run = begin(tmp_path / "one", url, "tasks.datasets.settle_splits:assign_splits")
    second_run = ended(begin(tmp_path / "two", url))
    versions = [Store(url).manifests.read(run["dataset"]["hash"]) for run in (ended(first_run), second_run)]
    by_key = [{row.key: row for row in version} for version in versions]
    assert by_key[0].keys() == by_key[1].keys()
    pairs = [(by_key[0][key], by_key[1][key]) for key in by_key[0]]
    alone = [
        assign_splits(
            {row.image: row.image for row in version}, {}, Shares(20, 15), {row.image: row.label for row in version}
        )
        for version in zip(*pairs, strict=True)
    ]
    sides = {tuple(first[row.image].split for first, row in zip(alone, pair, strict=True)) for pair in pairs}
    assert any(first is not second_run for first, second_run in sides), "some of them would come to different sides"
    assert all(first.split is second.split for first, second in pairs)
    assignments = Store(url).splits.stored()
    assert all(assignments[row.image].split is row.split for pair in pairs for row in pair)
