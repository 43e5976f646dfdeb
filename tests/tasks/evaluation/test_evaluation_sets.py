"""Evaluation sets: which version is the golden set."""

from pathlib import Path

import pytest

from configs.errors import AmbiguousError
from configs.load import parse_settings
from configs.schema import Settings
from tasks.evaluation.evaluation_sets import with_named_golden
from tasks.stores.store import Store


def settings(store: Path, golden: str) -> Settings:
    """Make settings that name a golden set."""
    values = {"source": {"url": "photos"}, "store": {"url": str(store)}, "evaluation": {"golden": golden}}
    return parse_settings(values, "a test")


def test_twelve_digits_name_the_golden_set(tmp_path: Path) -> None:
    """Digits become the whole hash, so that they are no other settings; those of two versions are refused."""
    names = ["a" * 64, "ab" * 32, "abababababab" + "0" * 52]
    for name in names:
        (tmp_path / "datasets" / name).mkdir(parents=True)
        (tmp_path / "datasets" / name / "manifest.parquet").write_bytes(b"")
    store = Store(str(tmp_path))
    assert with_named_golden(settings(tmp_path, "a" * 12), store) == settings(tmp_path, "a" * 64)
    for golden in ("", "b" * 64, "b" * 12):
        assert with_named_golden(settings(tmp_path, golden), store) == settings(tmp_path, golden)
    with pytest.raises(AmbiguousError, match="abababababab fits 2 versions"):
        with_named_golden(settings(tmp_path, "ab" * 6), store)
