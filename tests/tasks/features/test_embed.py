"""Where a run takes its backbone from."""

from pathlib import Path

import pytest

from configs import schema
from configs.errors import PedigreeError
from configs.schema import Settings
from configs.sections import Source
from tasks.domain.hashing import sha256_of_bytes
from tasks.features.embed import current_backbone
from tasks.modeling.backbone.backbone import random_backbone
from tasks.stores.store import Store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Name, in settings, a weights file by its path and hash."""
    data = random_backbone("mixed0", 75).to_bytes()
    (tmp_path / "w.npz").write_bytes(data)
    chosen = schema.Backbone(weights=str(tmp_path / "w.npz"), sha256=sha256_of_bytes(data), cut="mixed0", size=75)
    return Settings(source=Source(url="photos"), store=schema.Store(url=str(tmp_path / "store")), backbone=chosen)


def test_weights_that_came_once_need_not_come_again(settings: Settings, tmp_path: Path) -> None:
    """When the file is gone, the same settings find the backbone in the store, and others say what is missing."""
    first = current_backbone(Store(settings.store.url), settings.backbone)
    (tmp_path / "w.npz").unlink()
    assert current_backbone(Store(settings.store.url), settings.backbone).fingerprint == first.fingerprint
    other = settings.backbone.model_copy(update={"precision": "float16"})
    with pytest.raises(PedigreeError, match="There is no file"):
        current_backbone(Store(settings.store.url), other)


def test_the_file_stands_in_for_what_the_store_lost(settings: Settings, tmp_path: Path) -> None:
    """A note about a backbone whose file is missing is no reason to fail while the weights can still be had."""
    first = current_backbone(Store(settings.store.url), settings.backbone)
    stored = tmp_path / "store" / "backbones" / f"{first.fingerprint}.npz"
    stored.unlink()
    assert current_backbone(Store(settings.store.url), settings.backbone).fingerprint == first.fingerprint
    assert stored.exists()
