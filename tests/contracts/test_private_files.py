"""What Pedigree makes is for its owner alone."""

import stat
from pathlib import Path

import pytest

from configs.environment import prepare_environment
from infra.local_stack import processes
from tasks.stores.files.export_folder import new_folder
from tasks.stores.objects.folder import FolderBucket


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Home folder, store and checkout let nobody else in, whatever else the user's programs make."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    prepare_environment()
    FolderBucket(str(tmp_path / "store")).create("ledger/1.json", b"{}")
    with new_folder(tmp_path / "checkout") as folder:
        (folder / "beagle").mkdir()
    assert {name: _mode(tmp_path / name) for name in ("home", "store", "checkout")} == dict.fromkeys(
        ("home", "store", "checkout"), 0o700
    )


def test_a_store_that_a_group_shares_stays_shared(tmp_path: Path) -> None:
    """Where people made the folder themselves its rights stay as they set them."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store").chmod(0o2770)
    FolderBucket(str(tmp_path / "store")).create("ledger/1.json", b"{}")
    assert _mode(tmp_path / "store") == 0o2770


def test_an_older_home_is_tightened(tmp_path: Path) -> None:
    """What an older Pedigree left open is closed; the rights of a store, and a folder of other things, stay."""
    for name in ("stack", "mlflow-artifacts", "store"):
        (tmp_path / "home" / name).mkdir(parents=True)
        (tmp_path / "home" / name).chmod(0o755)
    (tmp_path / "home" / "stack" / "worker.log").touch(0o644)
    (tmp_path / "home").chmod(0o755)
    processes.restrict_permissions(tmp_path / "home")
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "home").rglob("*")}
    assert modes == {"stack": "0o700", "mlflow-artifacts": "0o700", "store": "0o755", "worker.log": "0o600"}
    assert _mode(tmp_path / "home") == 0o700
    (tmp_path / "home" / "letters.txt").touch()
    (tmp_path / "home").chmod(0o755)
    processes.restrict_permissions(tmp_path / "home")
    assert _mode(tmp_path / "home") == 0o755
