"""The brightness of a JPEG: as good as its colours for measuring, and as strict about damage."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from tasks.domain.images.image_info import Description, describe_brightness, describe_image
from tasks.domain.images.jpeg_brightness import read_brightness
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Rejection
from tests.tasks.domain import pictures
from tests.tasks.domain.images.test_preprocessing_hostile import BAD, GOOD

LIMITS = Limits(max_bytes=10**7, max_pixels=10**7, min_side=32)
ROTATED = 6
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Of 256 bits; near duplicates may differ in 72.
MOST_BITS = 20


def photograph(width: int = 500, height: int = 375) -> Image.Image:
    """Draw patches of colour with some noise."""
    rng = np.random.default_rng(width)
    patches = Image.fromarray(rng.integers(40, 215, (18, 24, 3), np.uint8)).resize((width, height))
    noise = rng.normal(0, 6, (height, width, 1))
    return Image.fromarray((np.asarray(patches) + noise).clip(0, 255).astype(np.uint8))


def saved(picture: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """Return the bytes of a file."""
    sink = io.BytesIO()
    picture.save(sink, kind, **options)
    return sink.getvalue()


def described(data: bytes) -> tuple[Description, Description]:
    """Describe a file in both ways."""
    colours, brightness = describe_image(data, LIMITS), describe_brightness(data, LIMITS)
    assert isinstance(colours, Description)
    assert isinstance(brightness, Description)
    return colours, brightness


@pytest.mark.parametrize("size", [(500, 375), (90, 200), (1900, 300)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"icc_profile": SRGB}])
def test_brightness_measures_what_colours_measure(size: tuple[int, int], options: dict[str, object]) -> None:
    """At any scale, hash and light come out as of the whole picture, but for what saving it once more changes too."""
    data = saved(photograph(*size), "JPEG", **options)
    colours, brightness = described(data)
    assert read_brightness(data, LIMITS)
    assert (brightness.width, brightness.height, brightness.format) == (*size, "JPEG")
    differing = np.frombuffer(colours.phash, np.uint8) ^ np.frombuffer(brightness.phash, np.uint8)
    assert np.bitwise_count(differing).sum() <= MOST_BITS
    assert brightness.measures.brightness == pytest.approx(colours.measures.brightness, abs=0.01)
    assert brightness.measures.contrast == pytest.approx(colours.measures.contrast, abs=0.01)
    assert brightness.measures.tone == pytest.approx(colours.measures.tone, abs=0.02)
    assert len(brightness.parts) == len(colours.parts)


def test_a_turned_photograph_is_measured_upright() -> None:
    """What a camera held upright wrote lying is as high as wide, and hashed upright."""
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    colours, brightness = described(saved(photograph(), exif=exif))
    assert (brightness.width, brightness.height) == (colours.width, colours.height) == (375, 500)
    differing = np.frombuffer(colours.phash, np.uint8) ^ np.frombuffer(brightness.phash, np.uint8)
    assert np.bitwise_count(differing).sum() <= MOST_BITS


def test_what_has_other_colours_is_decoded_as_a_whole() -> None:
    """Another profile, a long one, one channel, four channels and other formats are described exactly as before."""
    # Another name makes it another profile.
    profile = SRGB.replace("sRGB".encode("utf-16-be"), "Else".encode("utf-16-be"))
    grey, four = photograph().convert("L"), photograph().convert("CMYK")
    profiles = (profile, SRGB + bytes(10_000))
    files = [saved(photograph(), icc_profile=profile) for profile in profiles]
    for data in [*files, saved(grey), saved(four), saved(photograph(), "PNG")]:
        assert read_brightness(data, LIMITS) is None
        colours, brightness = described(data)
        assert brightness == colours


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(200, 150), (470, 90), (930, 50)])
def test_damage_is_found_as_in_colours(size: tuple[int, int], progressive: bool) -> None:
    """Cut off anywhere, as it is or closed again, a JPEG is judged at any scale as when its colours are decoded."""
    data, rejected = saved(photograph(*size), progressive=progressive), 0
    for end in np.linspace(1, len(data) - 1, 40, dtype=int).tolist():
        for cut in (data[:end], data[:end] + b"\xff\xd9"):
            colours, brightness = describe_image(cut, LIMITS), describe_brightness(cut, LIMITS)
            assert isinstance(colours, Rejection) == isinstance(brightness, Rejection)
            if isinstance(colours, Rejection):
                assert brightness == colours
                rejected += 1
    assert rejected >= 40


def test_limits_and_a_grey_corner_are_told_as_in_colours() -> None:
    """A picture that is too large is rejected in the same words, and a grey corner of its own does no harm."""
    few = Limits(max_bytes=10**7, max_pixels=1000, min_side=32)
    data = saved(photograph())
    assert describe_brightness(data, few) == describe_image(data, few)
    assert isinstance(describe_brightness(data, few), Rejection)
    letterboxed = photograph()
    ImageDraw.Draw(letterboxed).rectangle((0, 300, 500, 375), (128, 128, 128))
    assert read_brightness(saved(letterboxed), LIMITS) is None
    assert isinstance(describe_brightness(saved(letterboxed), LIMITS), Description)


@pytest.mark.parametrize("kind", BAD)
def test_a_hostile_file_is_rejected_as_in_colours(kind: str) -> None:
    """Whatever is rejected when it is decoded as a whole is rejected for the same reason in the same words."""
    data, reason = BAD[kind]
    brightness = describe_brightness(data(), pictures.LIMITS)
    assert isinstance(brightness, Rejection)
    assert brightness.reason is reason
    assert brightness == describe_image(data(), pictures.LIMITS)


@pytest.mark.parametrize("kind", GOOD)
def test_an_odd_file_is_taken_as_in_colours(kind: str) -> None:
    """Whatever is taken when it is decoded as a whole is taken, as a picture of the same size and format."""
    colour, brightness = (describe(GOOD[kind](), pictures.LIMITS) for describe in (describe_image, describe_brightness))
    assert isinstance(colour, Description)
    assert isinstance(brightness, Description)
    assert (brightness.width, brightness.height, brightness.format) == (colour.width, colour.height, colour.format)
