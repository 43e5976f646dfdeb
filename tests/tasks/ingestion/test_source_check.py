"""A first look at a source, before anything slow is started."""

from pathlib import Path

import pytest

from configs.errors import PedigreeError
from configs.load import parse_settings
from configs.schema import Settings
from tasks.ingestion.source_check import check_source


def settings(folder: Path, source: str) -> Settings:
    """Make settings of a source and a store in a folder."""
    values = {"source": {"url": str(folder / source)}, "store": {"url": str(folder / "store")}}
    return parse_settings(values, "a test")


def test_a_source_that_cannot_be_right_is_told_at_once(tmp_path: Path) -> None:
    """A folder that is not there, a file, and a folder without a photograph are each told; one file is enough."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty" / "poodle").mkdir(parents=True)
    (tmp_path / "empty" / "@eaDir").mkdir()
    (tmp_path / "empty" / "@eaDir" / "small.jpg").write_bytes(b"")
    for name in ("elsewhere", "file"):
        with pytest.raises(PedigreeError, match="There is no folder"):
            check_source(settings(tmp_path, name))
    with pytest.raises(PedigreeError, match=r"empty is empty, but for what is passed over \(1 @eaDir\): put photo"):
        check_source(settings(tmp_path, "empty"))
    (tmp_path / "empty" / "poodle" / "1.jpg").write_bytes(b"")
    check_source(settings(tmp_path, "empty"))
    assert not (tmp_path / "store").exists()
