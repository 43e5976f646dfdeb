"""What a newer Pedigree wrote, or nobody lets us read, is not called damaged: a copy put back would lose it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from configs.errors import InaccessibleError, PedigreeError
from tasks.catalog.verify import verify
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import Record
from tasks.domain.training.results import FeatureSet
from tasks.reports.prefect_ui.pace_bar import show_pace
from tasks.stores.files.records import record_bytes
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tests.old_stores.kept import unpack
from tests.ordinary_user import open_folder, ordinary_user

FEATURES = FeatureSet("a" * 64, 8)
RECORD = Record("d" * 64, {}, FEATURES, FEATURES, "h" * 64, {}, {})
DECISION = Decision(1, "now", "promoted", 1, None, "d", "r", "b", "h", "run", "1", "better", ())
# Reads as a user whom files may be closed to, and prints what that came to.
CLOSED = """
import os, sys
from configs.errors import InaccessibleError
from tasks.stores.store import Store
Store(sys.argv[1]).ledger.entries()
os.setuid(54321)
try:
    Store(sys.argv[1]).ledger.entries()
except InaccessibleError as problem:
    print(problem)
"""


def _decision(folder: Path, plain: object) -> Callable[[], object]:
    open_bucket(str(folder)).create("ledger/000001.json", json.dumps(plain).encode())
    return Store(str(folder)).ledger.entries


def _record(folder: Path, plain: dict[str, object]) -> Callable[[], object]:
    plain = {name: value for name, value in plain.items() if name != "sha256"}
    data = json.dumps({**plain, "sha256": sha256_of(plain)}).encode()
    open_bucket(str(folder)).create(f"models/{RECORD.head}/{RECORD.dataset}.json", data)
    return lambda: Store(str(folder)).records.read(RECORD.head, RECORD.dataset)


def _format(folder: Path, plain: object) -> Callable[[], object]:
    open_bucket(str(folder)).create("format.json", json.dumps(plain).encode())
    return lambda: Store(str(folder)).check_format()


def test_what_a_newer_pedigree_wrote_asks_for_an_update(tmp_path: Path) -> None:
    """A decision, a record or a format with more in it than we know is a newer one's, and sound."""
    record = json.loads(record_bytes(RECORD))
    asks = [
        _decision(tmp_path / "1", {**asdict(DECISION), "mood": "good"}),
        _record(tmp_path / "2", {**record, "mood": "good"}),
        _record(tmp_path / "3", {**record, "made": {**asdict(FEATURES), "mood": "good"}}),
        _format(tmp_path / "4", {"format": 99}),
        _format(tmp_path / "5", {"format": "99"}),
    ]
    for ask in asks:
        with pytest.raises(InaccessibleError, match=r"newer Pedigree.*update Pedigree") as caught:
            ask()
        assert "damaged" not in str(caught.value)


def test_what_was_read_and_is_wrong_is_damaged(tmp_path: Path) -> None:
    """A decision that lacks something, a list in its place, a record with another hash or no format are damaged."""
    lacking = {name: value for name, value in asdict(DECISION).items() if name != "number"}
    asks = [
        _decision(tmp_path / "1", {**lacking, "numbe2": 1}),
        _decision(tmp_path / "2", ["a"]),
        _format(tmp_path / "3", {"format": "x"}),
        _format(tmp_path / "4", ["format"]),
    ]
    for ask in asks:
        with pytest.raises(PedigreeError, match="is damaged") as caught:
            ask()
        assert not isinstance(caught.value, InaccessibleError)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_what_is_closed_to_us_is_not_damaged() -> None:
    """A file of the store that this user may not read is said to be closed, and the store stays as it is."""
    with TemporaryDirectory() as name:
        _decision(Path(name), asdict(DECISION))
        Path(name).chmod(0o755)
        (Path(name) / "ledger" / "000001.json").chmod(0o600)
        done = subprocess.run([sys.executable, "-c", CLOSED, name], capture_output=True, text=True, check=False)  # noqa: S603
    assert "000001.json cannot be read (Permission denied" in done.stdout, done.stderr
    assert "damaged" not in done.stdout


@pytest.mark.parametrize(
    "closed",
    ["images.lance", "features", "splits.lance", "ledger", "models", "heads", "backbones", "datasets", "labels"],
)
def test_a_part_of_a_store_that_is_closed_is_not_damaged(closed: str) -> None:
    """Whoever may not read a part of a store reads so, and verify names no damage and advises no copy."""
    with open_folder() as folder:
        unpack("three_nights", folder)
        subprocess.run(["chmod", "-R", "a+rX", folder], check=True)  # noqa: S603, S607
        store = str(folder / "store")
        assert verify(Store(store), "latest", show_pace).damage == ()
        (folder / "store" / closed).chmod(0)
        with ordinary_user(), pytest.raises(InaccessibleError, match=r"Permission denied") as caught:
            verify(Store(store), "latest", show_pace)
        (folder / "store" / closed).chmod(0o755)
        assert "damaged" not in str(caught.value)
        assert "copy" not in str(caught.value)
