"""Strangers' photographs are written anew: what they show is left, and nothing else of their files."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tasks.decoding.picture_cleaner import PictureCleaner
from tasks.domain.images.preprocessing import Limits, open_picture, preprocess_image
from tasks.domain.images.rejections import Rejection
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw

LIMITS = Limits(max_bytes=10**7, max_pixels=3 * 10**7, min_side=32)
SECRET = b"SECRET-PLACE"
_GPS, _GPS_PLACE, _ORIENTATION, _MAKER = 0x8825, 0x1D, 0x0112, 0x010F


def _phone_jpeg() -> bytes:
    """Return a photograph lying on its side, with a place, a comment, a profile, and a film behind its end."""
    exif = Image.Exif()
    exif[_ORIENTATION], exif[_MAKER] = 6, SECRET.decode()
    exif.get_ifd(_GPS)[_GPS_PLACE] = SECRET.decode()
    sink = io.BytesIO()
    draw(BREEDS[0], COATS[0], 1, side=200).resize((300, 200)).save(
        sink, "JPEG", exif=exif, comment=SECRET, icc_profile=SECRET, quality=95
    )
    return sink.getvalue() + SECRET


def _tool_png() -> bytes:
    """Return a picture with words of the tool that made it."""
    words, sink = PngImagePlugin.PngInfo(), io.BytesIO()
    words.add_text("Author", SECRET.decode())
    draw(BREEDS[1], COATS[1], 2, side=96).save(sink, "PNG", pnginfo=words)
    return sink.getvalue()


@pytest.fixture(scope="module")
def cleaner() -> PictureCleaner:
    """Return a cleaner, whose processes end with the last test."""
    return PictureCleaner(LIMITS, 60)


@pytest.mark.parametrize("data", [_phone_jpeg(), _tool_png()], ids=["jpeg", "png"])
def test_only_what_a_picture_shows_is_left(cleaner: PictureCleaner, data: bytes) -> None:
    """No metadata, comment, profile or hidden film survives; the model sees the same picture, upright."""
    assert SECRET in data
    clean = cleaner.clean(data)
    assert isinstance(clean, bytes)
    assert SECRET not in clean
    with Image.open(io.BytesIO(clean)) as picture:
        assert picture.format == "JPEG"
        assert dict(picture.getexif()) == {}
        assert picture.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    before, after = (preprocess_image(file, 75, LIMITS) for file in (data, clean))
    assert isinstance(before, np.ndarray)
    assert isinstance(after, np.ndarray)
    assert np.abs(before.astype(int) - after).mean() < 2


def test_large_pictures_shrink_and_hostile_ones_are_refused(cleaner: PictureCleaner) -> None:
    """No copy is larger than people need to label it; what is no whole picture harms nobody."""
    sink = io.BytesIO()
    Image.effect_noise((4096, 1024), 90).convert("RGB").save(sink, "JPEG")
    clean = cleaner.clean(sink.getvalue())
    assert isinstance(clean, bytes)
    picture = open_picture(clean, LIMITS)
    assert not isinstance(picture, Rejection)
    assert picture.image.size == (2048, 512)
    for hostile in (b"This is no picture.", sink.getvalue()[:900], b""):
        assert isinstance(cleaner.clean(hostile), Rejection)
