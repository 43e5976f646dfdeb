"""Preflight: settings that do not fit together are refused before a photograph is fetched."""

from inspect import unwrap
from pathlib import Path

import pytest

from configs.errors import PedigreeError, SettingsError
from configs.load import parse_settings
from tasks.runs.preflight import preflight


@pytest.mark.parametrize(
    ("backbone", "sentence"),
    [
        ({"weights": "demo"}, "is demo, which ends at mixed2: set backbone.cut to mixed2"),
        ({"weights": "demo", "cut": "mixed7+mixed8", "size": 299}, "set backbone.cut to mixed2"),
        ({"weights": "random", "size": 30}, "backbone.size is 30, too small for a network cut at mixed10"),
    ],
)
def test_a_cut_that_does_not_suit_is_refused(tmp_path: Path, backbone: dict[str, object], sentence: str) -> None:
    """Weights, cut and size are compared first, and neither store nor MLflow is begun."""
    (tmp_path / "photos").mkdir()
    given = {
        "source": {"url": str(tmp_path / "photos")},
        "store": {"url": str(tmp_path / "store")},
        "tracking": {"url": f"sqlite:///{tmp_path}/mlflow.db"},
        "backbone": backbone,
    }
    with pytest.raises(SettingsError, match=sentence):
        unwrap(preflight.fn)(parse_settings(given, "a test"))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_other_weights_than_the_settings_mean_are_refused(tmp_path: Path) -> None:
    """A run, and a dry run, compare the file with backbone.sha256 before they list a photograph."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "weights.h5").write_bytes(b"other weights")
    given = {
        "source": {"url": str(tmp_path / "photos")},
        "store": {"url": str(tmp_path / "store")},
        "tracking": {"url": f"sqlite:///{tmp_path}/mlflow.db"},
        "backbone": {"weights": str(tmp_path / "weights.h5"), "sha256": "ab" * 32},
    }
    with pytest.raises(PedigreeError, match=r"has SHA-256 .*, not backbone\.sha256: correct"):
        unwrap(preflight.fn)(parse_settings(given, "a test"))
