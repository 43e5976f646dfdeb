"""The brightness of a JPEG, decoded as small as measuring allows: its colours are not computed."""

import io
import warnings
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageCms

from tasks.domain.images.color_management import undo_orientation
from tasks.domain.images.file_formats import lacks_scans, read_frame, unsupported_kind
from tasks.domain.images.preprocessing import FILL_LEVELS, Limits, check_limits

_BEGINNING, _CHANNELS = b"\xff\xd8\xff", 3
# Pictures are measured on a copy of at most 256 pixels; one of a tenth less shows the same, and spares a round of
# resizing for photographs of 500 pixels.
_FEWEST_PIXELS = 230
_SCALES = (8, 4, 2, 1)
# Those of sRGB that cameras and programs write have at most 3,144 bytes; what is longer may be kept in no cache.
_LONGEST_SRGB = 2**12


@dataclass(frozen=True, slots=True)
class Brightness:
    """A JPEG of which all data were read.

    Attributes:
        grey: Its grey levels, upright and maybe smaller than the picture.
        width: The width of the upright picture, in pixels.
        height: Its height.
    """

    grey: Image.Image
    width: int
    height: int


def read_brightness(data: bytes, limits: Limits) -> Brightness | None:
    """Read the brightness of a JPEG, as the file itself holds it.

    Args:
        data: The bytes of a file.
        limits: The sizes that are allowed.

    Returns:
        The brightness; None for whatever is no sound JPEG of three channels in sRGB, and must be decoded as a
        whole, be it to say what is wrong with it.
    """
    if not data.startswith(_BEGINNING) or len(data) > limits.max_bytes:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(data, limits)
        except Exception:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
            return None


def _read(data: bytes, limits: Limits) -> Brightness | None:
    frame = read_frame(data)
    if frame is None or len(frame.channels) != _CHANNELS or unsupported_kind(frame) or lacks_scans(data, frame):
        return None
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    # Several pictures in one file have another format.
    if (image.format, image.mode) != ("JPEG", "RGB") or check_limits(image, limits):
        return None
    if (profile := image.info.get("icc_profile")) and (len(profile) > _LONGEST_SRGB or not _is_srgb(profile)):
        return None
    width, height = image.size
    scale = next((scale for scale in _SCALES if max(image.size) >= scale * _FEWEST_PIXELS), 1)
    image.draft("L", (width // scale, height // scale))
    image.load()
    # What was cut off is filled with grey; whether such a corner is the picture's own, whole decoding finds out.
    if image.mode != "L" or image.getpixel((image.width - 1, image.height - 1)) in FILL_LEVELS:
        return None
    grey = undo_orientation(image)
    if (grey.width < grey.height) != (image.width < image.height):
        width, height = height, width
    return Brightness(grey, width, height)


@lru_cache(maxsize=16)
def _is_srgb(profile: bytes) -> bool:
    """Check whether a color profile is one of the many that describe sRGB, by its name; few are common."""
    return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).startswith("sRGB")
