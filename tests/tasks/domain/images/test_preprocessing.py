"""The pixel contract: whatever kind of file holds a scene, it becomes the same upright sRGB picture."""

import hashlib
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tasks.decoding.decoder import Decoder
from tasks.domain.images.preprocessing import FORMATS, Limits, open_picture, preprocess_image
from tasks.domain.images.rejections import Reason, Rejection
from tests.tasks.domain.pictures import (
    ADOBE_RGB,
    DISPLAY_P3,
    LIMITS,
    SRGB,
    colour_profile,
    deep_png,
    grey_profile,
    grey_scene,
    half_white,
    in_space,
    linear,
    saved,
    scene,
    tiff,
)

SIZE = 96
UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
# Formats that carry an orientation, with the loss of each, in levels of 255.
TURNED = {"JPEG": 3.0, "PNG": 0.0, "WEBP": 5.0, "TIFF": 0.0, "AVIF": 5.0, "HEIF": 5.0}


def turned(number: int, kind: str) -> bytes:
    """Store the scene turned, with the mark that says how to turn it back."""
    undo, exif = UNDO[number], Image.Exif()
    exif[0x0112] = number
    image = scene().transpose(undo) if undo is not None else scene()
    if kind == "HEIF":
        # Taken from here, it is also written as the turn that HEIC's own viewers obey.
        image.info["exif"] = exif.tobytes()
        return saved(image, kind, quality=95)
    return saved(image, kind, exif=exif, **({"quality": 95} if TURNED[kind] else {}))


def turned_by_xmp() -> bytes:
    """Store the scene on its side, with a mark that only the XMP metadata hold."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="6"/></x:xmpmeta>'
    return saved(scene().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, xmp=xmp)


def with_transparent_half(mode: str) -> bytes:
    """Store the scene with a transparent half."""
    image = scene().convert(mode)
    image.putalpha(Image.fromarray(np.repeat(np.array([[255] * 80 + [0] * 80], np.uint8), 120, axis=0)))
    return saved(image, "PNG")


def ycck() -> bytes:
    """Store the scene in the four channels that Photoshop writes: Adobe's marker says 2, and all are inverted."""
    *inks, black = scene().convert("CMYK").split()
    luma = Image.merge("RGB", inks).convert("YCbCr").split()
    inverted = [plane.point(lambda level: 255 - level) for plane in luma]
    data = saved(Image.merge("CMYK", [*inverted, black]), "JPEG", quality=95)
    marker = data.index(b"Adobe")
    assert data[marker + 11] == 0
    return data[: marker + 11] + b"\2" + data[marker + 12 :]


def deep(image: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Give every level sixteen bits."""
    return np.asarray(image).astype(np.uint16) * 257


def twelve_bits() -> bytes:
    """Store the scene's lightness as some scanners do: two levels in three bytes."""
    levels = (np.asarray(grey_scene()).astype(np.uint16) << 4).reshape(120, 80, 2)
    first, second = levels[..., 0], levels[..., 1]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    data = tiff(packed.astype(np.uint8).reshape(120, 240), 1)
    for tag, wrong, right in ((256, 240, 160), (258, 8, 12)):
        data = data.replace(struct.pack("<HHII", tag, 4, 1, wrong), struct.pack("<HHII", tag, 4, 1, right))
    return data


def deep_with_transparent_level() -> bytes:
    """Store sixteen bits of grey of which one level stands for nothing."""
    levels = deep(grey_scene())
    levels[:, 80:] = 1000
    return deep_png(levels, 0, (b"tRNS", (1000).to_bytes(2, "big")))


def linear_grey(mode: str) -> bytes:
    """Store the scene's lightness as light, which only the profile says."""
    light = Image.fromarray((linear(np.asarray(grey_scene())) * 255).round().astype(np.uint8))
    return saved(light.convert(mode), "PNG", icc_profile=grey_profile(1.0))


def in_lab() -> Image.Image:
    """Turn the scene into lightness and two differences of colour."""
    spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(scene(), *spaces, outputMode="LAB") or scene()


def two_frames() -> dict[str, object]:
    """Say that another, black picture follows."""
    return {"save_all": True, "append_images": [Image.new("RGB", (160, 120))]}


def two_levels() -> Image.Image:
    """Draw the scene in black and white."""
    return scene().convert("1")


P3, ADOBE = (DISPLAY_P3, 2.2), (ADOBE_RGB, 563 / 256)
WORDS = b"MM\0*\0\0\0\x08\0\1\1\x12\0\2\0\0\0\0026\0\0\0\0\0\0\0"
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
WAYS: dict[str, tuple[Callable[[], bytes], Callable[[], Image.Image], float]] = {
    "png": (lambda: saved(scene(), "PNG"), scene, 0),
    "bmp": (lambda: saved(scene(), "BMP"), scene, 0),
    "tiff": (lambda: saved(scene(), "TIFF", compression="tiff_lzw"), scene, 0),
    "tiff of two pages": (lambda: saved(scene(), "TIFF", **two_frames()), scene, 0),
    "tiff cmyk": (lambda: saved(scene().convert("CMYK"), "TIFF"), scene, 1),
    "tiff lab": (lambda: saved(in_lab(), "TIFF"), scene, 2),
    "jpeg": (lambda: saved(scene(), "JPEG", quality=95), scene, 3),
    "jpeg progressive": (lambda: saved(scene(), "JPEG", quality=95, progressive=True), scene, 3),
    "jpeg cmyk": (lambda: saved(scene().convert("CMYK"), "JPEG", quality=95), scene, 4),
    "jpeg ycck": (ycck, scene, 4),
    "jpeg of two pictures": (lambda: saved(scene(), "MPO", quality=95, **two_frames()), scene, 3),
    "webp": (lambda: saved(scene(), "WEBP", quality=95), scene, 5),
    "webp lossless": (lambda: saved(scene(), "WEBP", lossless=True), scene, 0),
    "animated webp": (lambda: saved(scene(), "WEBP", lossless=True, **two_frames()), scene, 0),
    "avif": (lambda: saved(scene(), "AVIF", quality=95), scene, 5),
    "heic": (lambda: saved(scene(), "HEIF", quality=95), scene, 5),
    "gif": (lambda: saved(scene(), "GIF"), scene, 12),
    "animated gif": (lambda: saved(scene(), "GIF", **two_frames()), scene, 12),
    "palette": (lambda: saved(scene().quantize(256), "PNG"), scene, 12),
    "transparent": (lambda: with_transparent_half("RGB"), lambda: half_white(scene()), 0),
    "grey and transparent": (lambda: with_transparent_half("L"), lambda: half_white(grey_scene()), 0),
    "grey": (lambda: saved(grey_scene(), "PNG"), grey_scene, 0),
    "one bit": (lambda: saved(two_levels(), "PNG"), two_levels, 0),
    "one bit of fax": (lambda: saved(two_levels(), "TIFF", compression="group4"), two_levels, 0),
    "16 bits of grey": (lambda: deep_png(deep(grey_scene()), 0), grey_scene, 0),
    "16 bits of grey and a transparent level": (deep_with_transparent_level, lambda: half_white(grey_scene()), 0),
    "16 bits of grey and alpha": (
        lambda: deep_png(np.dstack([deep(grey_scene()), deep(Image.new("L", (160, 120), 255))]), 4),
        grey_scene,
        0,
    ),
    "16 bits of colours": (lambda: deep_png(deep(scene()), 2), scene, 0),
    "16 bits of colours and alpha": (lambda: deep_png(deep(scene().convert("RGBA")), 6), scene, 0),
    "tiff of 12 bits": (twelve_bits, grey_scene, 0),
    "tiff of 16 bits of grey": (lambda: tiff(deep(grey_scene()), 1), grey_scene, 0),
    "tiff of 16 bits where 0 is white": (lambda: tiff(65535 - deep(grey_scene()), 0), grey_scene, 0),
    "tiff of 8 bits where 0 is white": (lambda: tiff(255 - np.asarray(grey_scene()), 0), grey_scene, 0),
    "tiff of 16 bits of colours": (lambda: tiff(deep(scene()), 2), scene, 0),
    "srgb profile": (lambda: saved(scene(), "PNG", icc_profile=SRGB_PROFILE), scene, 2),
    "display p3": (lambda: saved(in_space(*P3), "PNG", icc_profile=colour_profile(*P3)), scene, 2),
    "display p3 in heic": (
        lambda: saved(in_space(*P3), "HEIF", quality=95, icc_profile=colour_profile(*P3)),
        scene,
        5,
    ),
    "adobe rgb": (lambda: saved(in_space(*ADOBE), "TIFF", icc_profile=colour_profile(*ADOBE)), scene, 2),
    "linear grey": (lambda: linear_grey("L"), grey_scene, 3),
    "linear grey and alpha": (lambda: linear_grey("LA"), grey_scene, 3),
    "broken profile": (lambda: saved(scene(), "PNG", icc_profile=b"no profile at all"), scene, 0),
    "another mode's profile": (lambda: saved(scene(), "PNG", icc_profile=grey_profile(1.0)), scene, 0),
    "metadata that are none": (lambda: saved(scene(), "PNG", exif=b"garbage"), scene, 0),
    "metadata cut in half": (lambda: saved(scene(), "WEBP", lossless=True, exif=b"Exif\0\0MM\0*\0\0"), scene, 0),
    "orientation in words": (lambda: saved(scene(), "PNG", exif=b"Exif\0\0" + WORDS), scene, 0),
    "turned by xmp": (turned_by_xmp, scene, 3),
    **{
        f"orientation {number} in {kind}": (partial(turned, number, kind), scene, loss)
        for kind, loss in TURNED.items()
        for number in UNDO
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_scene_arrives_the_same(way: str) -> None:
    """However a scene was saved, the model sees it as a person would, within the format's own loss."""
    data, expected, tolerance = WAYS[way]
    result = preprocess_image(data(), SIZE, LIMITS)
    assert not isinstance(result, Rejection), result
    resized = expected().convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    assert np.abs(result.astype(np.int64) - np.asarray(resized, dtype=np.int64)).mean() <= tolerance


def fingerprint(data: bytes, limits: Limits) -> Rejection:
    """Hash what the model would see."""
    result = preprocess_image(data, SIZE, limits)
    assert not isinstance(result, Rejection)
    return Rejection(Reason.EMPTY, hashlib.sha256(result.tobytes()).hexdigest())


def test_every_run_gives_the_same_bytes() -> None:
    """The same file gives the same pixels twice in this process and once more in another one."""
    files = {way: data() for way, (data, _, _) in WAYS.items()}
    first = {way: fingerprint(data, LIMITS) for way, data in files.items()}
    assert {way: fingerprint(data, LIMITS) for way, data in files.items()} == first
    with Decoder(LIMITS, "tests.tasks.domain.images.test_preprocessing:fingerprint") as decoder:
        assert dict(zip(files, decoder.examine(list(files.values())), strict=True)) == first


@pytest.mark.parametrize(("primaries", "gamma"), [P3, ADOBE])
def test_ignoring_a_profile_would_show(
    primaries: np.ndarray[tuple[int, int], np.dtype[np.float64]], gamma: float
) -> None:
    """The scene in a wide colour space is so different that the table above proves the profile is used."""
    difference = np.asarray(in_space(primaries, gamma), dtype=np.int64) - np.asarray(scene(), dtype=np.int64)
    assert np.abs(difference).mean() > 4
    assert np.abs(np.asarray(in_space(SRGB, 2.2), dtype=np.int64) - np.asarray(scene(), dtype=np.int64)).mean() < 3


def test_the_allowed_formats_are_those_that_are_promised() -> None:
    """The list of formats is closed; HEIC is on it where its package is installed."""
    assert FORMATS == ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")


def test_every_real_photograph_is_accepted(photos: Path) -> None:
    """All real photographs become model input, the same at every call."""
    for path in sorted(photos.rglob("*.jpg"))[::10]:
        result = preprocess_image(path.read_bytes(), SIZE, LIMITS)
        assert not isinstance(result, Rejection), path
        assert result.shape == (SIZE, SIZE, 3)
        assert not isinstance(open_picture(path.read_bytes(), LIMITS), Rejection)
