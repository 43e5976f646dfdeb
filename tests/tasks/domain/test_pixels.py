"""The pixel contract: any file becomes the same upright sRGB picture, or a rejection with a reason."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from tasks.domain.pixels import Limits, Picture, model_input, open_picture
from tasks.domain.rejections import Reason, Rejection

LIMITS = Limits(max_bytes=10**7, max_pixels=10**7, min_side=32)
SIZE = 96


def scene() -> Image.Image:
    """Draw a picture whose corners differ, so that a turn or a flip shows."""
    across = np.linspace(0, 1, 160)[None, :, None] * np.array([200, 40, 10])
    down = np.linspace(0, 1, 120)[:, None, None] * np.array([10, 150, 220])
    return Image.fromarray((across + down).clip(0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """Write a picture the way a file would hold it."""
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def with_orientation(number: int) -> bytes:
    """Store the scene turned, with the EXIF mark that says how to turn it back."""
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[number]
    exif = Image.Exif()
    exif[0x0112] = number
    return saved(scene().transpose(undo) if undo is not None else scene(), "PNG", exif=exif)


def transparent() -> bytes:
    """Store the scene with a transparent half, which must come out white."""
    image = scene().convert("RGBA")
    image.paste((255, 0, 255, 0), (80, 0, 160, 120))
    return saved(image, "PNG")


def sixteen_bits() -> bytes:
    """Store the scene's lightness in sixteen bits."""
    return saved(Image.fromarray(np.asarray(scene().convert("L")).astype(np.uint16) * 257), "PNG")


def whited() -> Image.Image:
    """Draw the scene with its right half white."""
    image = scene()
    image.paste((255, 255, 255), (80, 0, 160, 120))
    return image


WAYS: dict[str, tuple[Callable[[], bytes], Callable[[], Image.Image], float]] = {
    "png": (lambda: saved(scene(), "PNG"), scene, 0),
    "bmp": (lambda: saved(scene(), "BMP"), scene, 0),
    "tiff": (lambda: saved(scene(), "TIFF", compression="tiff_lzw"), scene, 0),
    "jpeg": (lambda: saved(scene(), "JPEG", quality=95), scene, 3),
    "jpeg progressive": (lambda: saved(scene(), "JPEG", quality=95, progressive=True), scene, 3),
    "jpeg cmyk": (lambda: saved(scene().convert("CMYK"), "JPEG", quality=95), scene, 4),
    "webp": (lambda: saved(scene(), "WEBP", quality=95), scene, 5),
    "avif": (lambda: saved(scene(), "AVIF", quality=95), scene, 5),
    "gif": (lambda: saved(scene(), "GIF"), scene, 12),
    "animated gif": (
        lambda: saved(scene(), "GIF", save_all=True, append_images=[Image.new("RGB", (160, 120))]),
        scene,
        12,
    ),
    "palette": (lambda: saved(scene().quantize(256), "PNG"), scene, 12),
    "transparent": (transparent, whited, 0),
    "grey": (lambda: saved(scene().convert("L"), "PNG"), lambda: scene().convert("L").convert("RGB"), 0),
    "sixteen bits": (sixteen_bits, lambda: scene().convert("L").convert("RGB"), 1),
    "one bit": (lambda: saved(scene().convert("1"), "PNG"), lambda: scene().convert("1").convert("RGB"), 0),
    "grey with alpha": (lambda: saved(scene().convert("LA"), "PNG"), lambda: scene().convert("L").convert("RGB"), 0),
    "srgb profile": (
        lambda: saved(scene(), "PNG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        scene,
        2,
    ),
    "broken profile": (lambda: saved(scene(), "PNG", icc_profile=b"no profile at all"), scene, 0),
    **{f"orientation {number}": (partial(with_orientation, number), scene, 0) for number in range(1, 9)},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_scene_arrives_the_same(way: str) -> None:
    """However a scene was saved, the model sees it as a person would, within the format's own loss, and twice alike."""
    data, expected, tolerance = WAYS[way]
    found = model_input(data(), SIZE, LIMITS)
    assert not isinstance(found, Rejection), found
    target = np.asarray(expected().resize((SIZE, SIZE), Image.Resampling.BICUBIC), dtype=np.int64)
    assert np.abs(found.astype(np.int64) - target).mean() <= tolerance
    again = model_input(data(), SIZE, LIMITS)
    assert not isinstance(again, Rejection)
    assert again.tobytes() == found.tobytes()


def strip() -> bytes:
    """Store a picture that is far longer than high."""
    return saved(Image.new("1", (40_000, 8)), "PNG")


BAD: dict[str, tuple[Callable[[], bytes], Reason]] = {
    "nothing": (lambda: b"", Reason.EMPTY),
    "text": (lambda: b"just some words about dogs\n" * 40, Reason.NOT_AN_IMAGE),
    "an error page": (lambda: b"<html><body>404 Not Found</body></html>", Reason.NOT_AN_IMAGE),
    "a format that is not allowed": (lambda: saved(scene(), "PPM"), Reason.NOT_AN_IMAGE),
    "cut in half": (lambda: saved(scene(), "JPEG")[:1500], Reason.DAMAGED),
    "cut after the header": (lambda: saved(scene(), "PNG")[:60], Reason.DAMAGED),
    "30,000 x 30,000": (lambda: saved(Image.new("1", (30_000, 30_000)), "PNG"), Reason.TOO_MANY_PIXELS),
    "a strip": (strip, Reason.TOO_SMALL),
    "tiny": (lambda: saved(Image.new("RGB", (8, 8)), "PNG"), Reason.TOO_SMALL),
    "many bytes": (lambda: b"\xff\xd8" + bytes(10**7), Reason.TOO_MANY_BYTES),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_rejected_with_its_reason(kind: str) -> None:
    """A file that cannot become a training image is answered with a reason and one line of detail."""
    data, reason = BAD[kind]
    found = open_picture(data(), LIMITS)
    assert isinstance(found, Rejection)
    assert found.reason is reason
    assert found.detail
    assert "\n" not in found.detail


@pytest.fixture(scope="module")
def photographs(photos: Path) -> list[bytes]:
    """Read a few real photographs, small enough to be mutated often."""
    return [path.read_bytes() for path in sorted(photos.rglob("*.jpg"), key=lambda path: path.stat().st_size)[:5]]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_mutation_of_a_photograph_raises(photographs: list[bytes], data: st.DataObject) -> None:
    """Bytes of a real photograph, cut and overwritten at will, become a picture or a rejection, never an exception."""
    photograph = bytearray(data.draw(st.sampled_from(photographs)))
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, min(len(photograph) - 1, 2000)))
        photograph[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    end = data.draw(st.integers(0, len(photograph)))
    found = open_picture(bytes(photograph[:end] if data.draw(st.booleans()) else photograph), LIMITS)
    assert isinstance(found, Picture | Rejection)


def test_every_real_photograph_is_accepted(photos: Path) -> None:
    """All real photographs become model input, the same at every call."""
    for path in sorted(photos.rglob("*.jpg"))[::10]:
        found = model_input(path.read_bytes(), SIZE, LIMITS)
        assert not isinstance(found, Rejection), path
        assert found.shape == (SIZE, SIZE, 3)
