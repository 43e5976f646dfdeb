"""What of the demo others build on, without playing it."""

from pathlib import Path

import pytest

from flows.demo import played_demo


def test_the_champion_of_a_demo_that_was_played_can_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the demo nobody is served; afterwards it is its registered model, out of its store in this home."""
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path))
    assert played_demo() is None
    (tmp_path / "demo" / "store").mkdir(parents=True)
    served = played_demo()
    assert served
    assert (served.store, served.tracking.model) == (str(tmp_path / "demo" / "store"), "drawn-dogs")
