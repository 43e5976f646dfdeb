"""Preflight: settings that do not fit together are refused before a photograph is fetched."""

from inspect import unwrap
from pathlib import Path

import pytest

from configs.errors import SettingsError
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
