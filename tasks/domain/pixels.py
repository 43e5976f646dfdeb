"""The pixel contract: the one function that turns bytes into model input, in training and in serving."""

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from tasks.domain.rejections import Reason, Rejection, first_line

if TYPE_CHECKING:
    # Never at run time: the served model carries this module, but not the settings.
    from configs.schema import Images

# Changes whenever the same bytes would give other pixels; it is part of every backbone's fingerprint.
CONTRACT = "pillow/exif-upright/srgb/white-behind-alpha/stretch/bicubic/1"

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")
_BACKGROUND = (255, 255, 255)
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_SRGB = ImageCms.createProfile("sRGB")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is decoded: bytes, pixels, and pixels of the shorter side."""

    max_bytes: int
    max_pixels: int
    min_side: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A wholly decoded picture, upright, in sRGB, and the format that it came in."""

    image: Image.Image
    format: str


def limits_of(settings: "Images") -> Limits:
    """Turn the settings' megabytes and megapixels into bytes and pixels."""
    return Limits(settings.max_megabytes * 2**20, settings.max_megapixels * 10**6, settings.min_side)


def model_input(data: bytes, size: int, limits: Limits) -> NDArray[np.uint8] | Rejection:
    """Turn the bytes of a file into what the backbone sees: (size, size, 3), or say why that cannot be done."""
    picture = open_picture(data, limits)
    return picture if isinstance(picture, Rejection) else to_input(picture, size)


def to_input(picture: Picture, size: int) -> NDArray[np.uint8]:
    """Resize the whole picture to a square of the given side, in pixels: (size, size, 3)."""
    return np.asarray(picture.image.resize((size, size), Image.Resampling.BICUBIC), dtype=np.uint8)


def open_picture(data: bytes, limits: Limits) -> Picture | Rejection:
    """Decode a file wholly and make it upright sRGB; sizes are checked by its header first."""
    if not data:
        return Rejection(Reason.EMPTY, "the file has no bytes")
    if len(data) > limits.max_bytes:
        return Rejection(Reason.TOO_MANY_BYTES, f"{len(data):,} bytes, at most {limits.max_bytes:,} are allowed")
    with warnings.catch_warnings():
        # Our own limit speaks of size, in words; Pillow's warning would only repeat it.
        warnings.simplefilter("ignore")
        return _open(data, limits)


def _open(data: bytes, limits: Limits) -> Picture | Rejection:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        return Rejection(Reason.TOO_MANY_PIXELS, f"its header claims more than {limits.max_pixels:,} pixels")
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
        return _not_opened(data, error)
    wrong = _wrong_size(image, limits)
    if wrong:
        return wrong
    try:
        image.load()
        return Picture(_to_srgb(_upright(image)), str(image.format))
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
        return Rejection(Reason.DAMAGED, f"the {image.format} data cannot be decoded ({first_line(error)})")


def _not_opened(data: bytes, error: Exception) -> Rejection:
    if isinstance(error, UnidentifiedImageError):
        return Rejection(Reason.NOT_AN_IMAGE, f"not a picture of a known format ({', '.join(FORMATS)})")
    return Rejection(Reason.DAMAGED, f"the header of {len(data):,} bytes cannot be read ({first_line(error)})")


def _wrong_size(image: Image.Image, limits: Limits) -> Rejection | None:
    width, height = image.size
    if width * height > limits.max_pixels:
        return Rejection(
            Reason.TOO_MANY_PIXELS, f"{width} x {height} pixels, at most {limits.max_pixels:,} are allowed"
        )
    if min(width, height) < limits.min_side:
        return Rejection(Reason.TOO_SMALL, f"{width} x {height} pixels, at least {limits.min_side} a side are needed")
    return None


def _words(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _upright(image: Image.Image) -> Image.Image:
    turned = ImageOps.exif_transpose(image)
    return turned if turned.mode not in _SIXTEEN_BITS else _eight_bits(turned)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Keep the upper eight of sixteen bits; Pillow's own conversion would clip everything above 255."""
    values = np.asarray(image).astype(np.int64)
    return Image.fromarray(np.clip(values >> 8, 0, 255).astype(np.uint8), "L")


def _to_srgb(image: Image.Image) -> Image.Image:
    """Convert by the embedded colour profile, lay transparency on white, and drop what is not red, green and blue."""
    profile = image.info.get("icc_profile")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "La", "RGBa"):
        image = image.convert("RGBA")
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    opaque = _by_profile(image.convert("RGB") if alpha else image, profile)
    if alpha is None:
        return opaque
    background = Image.new("RGB", opaque.size, _BACKGROUND)
    background.paste(opaque, mask=alpha)
    return background


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode not in ("RGB", "L", "CMYK", "LAB"):
        image = image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A profile that is broken or meant for other channels says nothing; viewers convert plainly too.
            return image.convert("RGB")
        if converted is not None:
            return converted
    return image.convert("RGB")
