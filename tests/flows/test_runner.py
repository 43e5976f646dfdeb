"""Flows at a terminal: what is told before any of them starts."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from configs.load import parse_settings
from configs.schema import Settings
from flows import runner


@pytest.mark.parametrize("run", [runner.run_retrain, runner.run_rebuild, runner.run_compare, runner.run_watch])
def test_a_missing_source_starts_no_flow(
    run: Callable[[Settings], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command that reads the source says that it is not there before a flow, or Prefect's server, is started."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    for name in [name for name in sys.modules if name == "flows.retrain" or name.startswith("prefect.flow_engine")]:
        monkeypatch.delitem(sys.modules, name)
    values = {"source": {"url": str(tmp_path / "none")}, "store": {"url": str(tmp_path / "store")}}
    with pytest.raises(PedigreeError, match="There is no folder"):
        run(parse_settings(values, "a test"))
    assert "flows.retrain" not in sys.modules
    assert not (tmp_path / "home" / "prefect").exists()


@pytest.mark.parametrize("run", [runner.run_retrain, runner.run_rebuild, runner.run_dry])
def test_what_is_no_date_starts_no_flow(run: Callable[..., object], tmp_path: Path) -> None:
    """A day that is mistyped leaves no failed run in Prefect's list."""
    values = {"source": {"url": str(tmp_path)}, "store": {"url": str(tmp_path / "store")}}
    with pytest.raises(SettingsError, match="yesterday is no date"):
        run(parse_settings(values, "a test"), as_of="yesterday")
    assert not (tmp_path / "store").exists()
