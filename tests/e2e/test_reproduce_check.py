"""``make reproduce-check``: the demo's first run three times over, in processes of their own, gives one model."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.demo import SETTINGS, STORY, place_photographs
from tasks.stores.store import Store
from tests.servers import PrefectServer

# One core or all: what comes out must not depend on it.
COMMAND = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:int(sys.argv.pop(1))])
from flows.cli.app import app
app(sys.argv[1:])
"""


def pedigree(home: Path, cores: int, *arguments: str) -> dict[str, Any]:
    """Run one command in a process and a home folder of its own, and return what it prints as JSON."""
    done = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-c", COMMAND, str(cores), *arguments, "--json"],
        env={**os.environ, "PEDIGREE_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def run(folder: Path, photographs: Path, cores: int) -> dict[str, Any]:
    """Run the demo's first run on these photographs, and add the hash of the head that came out."""
    store = folder / "store"
    where = [f"--set=source.url={photographs}", f"--set=store.url={store}"]
    outcome = pedigree(folder / "home", cores, "retrain", "-c", str(SETTINGS), *where)
    decision = Store(str(store)).ledger.named("champion")
    return {**outcome, "backbone": decision.backbone, "head": decision.head}


def shuffled(photographs: Path, target: Path) -> Path:
    """Copy the photographs in another order and under other names, each below its breed and coat."""
    chance = random.Random(0)  # noqa: S311 - no secret
    files = sorted(photographs.rglob("*.jpg"))
    chance.shuffle(files)
    for number, path in enumerate(files):
        copy = target / path.relative_to(photographs).parent / f"IMG_{chance.randrange(10**6):06}_{number}.jpeg"
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return target


@pytest.mark.timeout(900)
def test_the_demo_comes_out_the_same_three_times(tmp_path: Path, prefect_server: PrefectServer) -> None:
    """Two processes give the same data, weights and figures, bit for bit: one on one core, from a shuffled copy.

    So does making the first model again from its original bytes alone.
    """
    assert prefect_server.api_url
    photographs = tmp_path / "photos"
    place_photographs(photographs, STORY[0])
    runs = {
        "first": run(tmp_path / "first", photographs, 64),
        "shuffled, one core": run(tmp_path / "shuffled", shuffled(photographs, tmp_path / "copy"), 1),
    }
    for name, outcome in runs.items():
        hashes = "  ".join(f"{part} {outcome[part][:16]}" for part in ("dataset", "backbone", "head"))
        print(f"{name:<20} {hashes}")  # noqa: T201 - the evidence
    parts = ("dataset", "backbone", "head", "metrics")
    assert all(
        [outcome[part] for part in parts] == [runs["first"][part] for part in parts] for outcome in runs.values()
    )
    store = str(tmp_path / "first" / "store")
    reproduced = pedigree(tmp_path / "first" / "home", 64, "reproduce", "champion", "--from-pixels", "--store", store)
    print(f"{'from pixels':<20} {reproduced['verdict']}: {reproduced['reason']}")  # noqa: T201 - the evidence
    assert reproduced["verdict"] == "identical"
    assert reproduced["refitted"]["unequal"] == 0
