"""Where a run takes its backbone from."""

from pathlib import Path

import pytest

from configs.errors import PedigreeError
from configs.schema import Backbone as Chosen
from configs.schema import Settings, Store
from configs.sections import Source
from tasks.domain.hashing import sha256_of_bytes
from tasks.features.embed import _current_backbone
from tasks.modeling.backbone.backbone import random_backbone


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Name, in settings, a weights file by its path and hash."""
    data = random_backbone("mixed0", 75).to_bytes()
    (tmp_path / "w.npz").write_bytes(data)
    chosen = Chosen(weights=str(tmp_path / "w.npz"), sha256=sha256_of_bytes(data), cut="mixed0", size=75)
    return Settings(source=Source(url="photos"), store=Store(url=str(tmp_path / "store")), backbone=chosen)


def test_weights_that_came_once_need_not_come_again(settings: Settings, tmp_path: Path) -> None:
    """When the file is gone, the same settings find the backbone in the store, and others say what is missing."""
    first = _current_backbone(settings)
    (tmp_path / "w.npz").unlink()
    assert _current_backbone(settings).fingerprint == first.fingerprint
    other = settings.backbone.model_copy(update={"precision": "float16"})
    with pytest.raises(PedigreeError, match="There is no file"):
        _current_backbone(settings.model_copy(update={"backbone": other}))


def test_the_file_stands_in_for_what_the_store_lost(settings: Settings, tmp_path: Path) -> None:
    """A note about a backbone whose file is missing is no reason to fail while the weights can still be had."""
    first = _current_backbone(settings)
    stored = tmp_path / "store" / "backbones" / f"{first.fingerprint}.npz"
    stored.unlink()
    assert _current_backbone(settings).fingerprint == first.fingerprint
    assert stored.exists()
