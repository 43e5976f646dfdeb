"""A store's format says how its images are measured."""

from pathlib import Path

from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.stores.files.store_format import measures_brightness
from tasks.stores.store import Store

INFO = ImageInfo("0" * 64, 10, 20, "JPEG", bytes(32), ImageProperties(0.0, 0.0, 0.0, 0.0))


def test_a_new_store_measures_brightness_for_life(tmp_path: Path) -> None:
    """What a store said first it says on, also once originals stay in their source, and its checksums are whole."""
    store = Store(str(tmp_path))
    store.claim_format()
    assert measures_brightness(store.objects)
    store.images.add([(INFO, b"x")])
    store.claim_format()
    store.claim_references()
    store.claim_references()
    assert measures_brightness(store.objects)
    assert list(store.checksums.altered_files()) == []


def test_an_older_store_measures_colours_for_life(tmp_path: Path) -> None:
    """A store that says nothing of it, or whose format was lost while it held images, goes on as it was."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "format.json").write_bytes(b'{"format": 2}')
    old = Store(str(tmp_path / "old"))
    old.claim_format()
    assert not measures_brightness(old.objects)
    old.claim_references()
    assert not measures_brightness(old.objects)
    lost = Store(str(tmp_path / "lost"))
    assert not measures_brightness(lost.objects)
    lost.images.add([(INFO, b"x")])
    lost.claim_format()
    assert not measures_brightness(lost.objects)
