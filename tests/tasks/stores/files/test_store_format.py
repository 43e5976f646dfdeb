"""A store's format says how its images are measured."""

from pathlib import Path

import pytest

from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.stores.files.store_format import measures_brightness
from tasks.stores.store import Store

INFO = ImageInfo("0" * 64, 10, 20, "JPEG", bytes(32), ImageProperties(0.0, 0.0, 0.0, 0.0))


def stored(folder: Path, content: bytes) -> Store:
    """Return a store of the format that the content says, with an image."""
    store = Store(str(folder))
    store.checksums.create("format.json", content)
    store.images.add([(INFO, b"x")])
    return store


def test_a_new_store_measures_brightness_for_life(tmp_path: Path) -> None:
    """What a store said first it says on, also once originals stay in their source, and its checksums are whole."""
    store = Store(str(tmp_path))
    store.claim_format()
    assert store.objects.read("format.json") == b'{"format": 4}'
    store.images.add([(INFO, b"x")])
    store.claim_format()
    store.claim_references()
    assert measures_brightness(store.objects)
    assert store.objects.read("format.json") == b'{"format": 4}'
    assert list(store.checksums.altered_files()) == []


@pytest.mark.parametrize("level", [2, 3])
def test_an_older_store_measures_colours_for_life(tmp_path: Path, level: int) -> None:
    """A store of a lower format stays one of colours, which a former Pedigree goes on with as well."""
    store = stored(tmp_path, b'{"format": %d}' % level)
    store.claim_format()
    assert store.objects.read("format.json") == b'{"format": %d}' % level
    store.claim_references()
    store.claim_references()
    assert store.objects.read("format.json") == b'{"format": 3}'
    assert not measures_brightness(store.objects)
    assert list(store.checksums.altered_files()) == []


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_format_that_was_lost_is_written_again(tmp_path: Path, level: int) -> None:
    """A store whose format is gone while it holds images measures the next ones as it measured those."""
    store = stored(tmp_path, b'{"format": %d}' % level)
    store.objects.remove("format.json")
    store.claim_format()
    assert store.objects.read("format.json") == b'{"format": %d}' % level


def test_a_store_from_before_formats_measures_colours(tmp_path: Path) -> None:
    """A store that holds images and has said no format yet was made when all were decoded as a whole."""
    store = Store(str(tmp_path))
    store.images.add([(INFO, b"x")])
    assert not measures_brightness(store.objects)
    store.claim_format()
    assert store.objects.read("format.json") == b'{"format": 2}'
