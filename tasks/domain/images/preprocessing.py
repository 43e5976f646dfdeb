"""Preprocessing (the pixel contract): one way from bytes to model input, shared by training and serving."""

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageChops, UnidentifiedImageError

from tasks.domain.images.color_management import UNSCALED, to_upright_srgb
from tasks.domain.images.file_formats import append_noise, is_camera_raw, lacks_scans, read_frame, unsupported_kind
from tasks.domain.images.rejections import Reason, Rejection, first_line

if TYPE_CHECKING:
    # Type checking only: the served model carries this module, but not the settings.
    from configs.sections import Images

try:
    # The optional extra "heic". Without it HEIC photographs are rejected, and everything else works.
    import pillow_heif
    from pillow_heif import register_heif_opener
except ImportError:
    _EXTRA_FORMATS: tuple[str, ...] = ()
    _EXTRA_VERSION = "no pillow-heif"
else:
    _EXTRA_VERSION = f"pillow-heif {pillow_heif.__version__}"
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    _EXTRA_FORMATS = ("HEIF",)

#: The version of the pixel contract: changed whenever the same bytes would give other pixels. It is part of every
#: backbone's fingerprint.
CONTRACT = "pillow/exif-upright/srgb/white-behind-alpha/stretch/bicubic/2"

# Raised whenever other files than before are accepted or rejected; files that were rejected as damaged or of an unknown
# format are then examined again.
_CHECKS_VERSION = 2

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", *_EXTRA_FORMATS)
_JPEG = b"\xff\xd8\xff"
# Signatures as (offset, bytes). Those of supported formats tell a damaged picture from a file that is no picture.
_SUPPORTED_SIGNATURES = (
    (0, _JPEG),
    (0, b"\x89PNG\r\n\x1a\n"),
    (8, b"WEBPVP8"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"GIF8"),
    (4, b"ftypavi"),
)
_PNG_END = b"IEND\xaeB`\x82"
#: libjpeg silently fills up a JPEG whose data end too early with the middle of the range.
FILL_LEVELS = {127, 128}
_HEIC_SIGNATURES = tuple(
    (4, b"ftyp" + brand) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
)
_UNSUPPORTED_SIGNATURES = {
    "JPEG 2000": ((4, b"jP  "), (0, b"\xff\x4f\xff\x51")),
    "JPEG XL": ((4, b"JXL "), (0, b"\xff\x0a")),
    "JPEG XR": ((0, b"II\xbc\x01"),),
    "camera raw": (
        *((0, start) for start in (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")),
        (4, b"ftypcrx"),
        (6, b"HEAPCCDR"),
    ),
    "Photoshop": ((0, b"8BPS"),),
    "PDF": ((0, b"%PDF-"),),
    "OpenEXR": ((0, b"\x76\x2f\x31\x01"),),
    "DICOM": ((128, b"DICM"),),
}
# In a picture with a larger ratio of its sides nothing can be recognised once it is stretched to a square.
_MAX_RATIO = 50
# Every header is checked against the settings' limit; Pillow's own would contradict settings above 178 megapixels.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The sizes outside of which a file is rejected before it is decoded.

    Attributes:
        max_bytes: The largest file, in bytes.
        max_pixels: The largest picture, in pixels (width times height).
        min_side: The smallest allowed shorter side, in pixels.
    """

    max_bytes: int
    max_pixels: int
    min_side: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A completely decoded picture.

    Attributes:
        image: The pixels, upright and in sRGB.
        format: The format of the file, such as JPEG.
    """

    image: Image.Image
    format: str


def decoder_versions() -> str:
    """Return the versions of everything that decides how bytes are decoded; others may accept a rejected file."""
    return f"Pillow {PIL.__version__}, {_EXTRA_VERSION}, checks {_CHECKS_VERSION}"


def limits_from_settings(settings: "Images") -> Limits:
    """Convert the settings' megabytes and megapixels to bytes and pixels."""
    return Limits(settings.max_megabytes * 2**20, settings.max_megapixels * 10**6, settings.min_side)


def preprocess_image(data: bytes, size: int, limits: Limits) -> NDArray[np.uint8] | Rejection:
    """Convert the bytes of a file to model input.

    Args:
        data: The bytes of the file.
        size: The side of the model input, in pixels.
        limits: The sizes that are allowed.

    Returns:
        Pixels of shape (size, size, 3), dtype uint8, or the reason why the file is rejected.
    """
    picture = open_picture(data, limits)
    return picture if isinstance(picture, Rejection) else to_input(picture, size)


def to_input(picture: Picture, size: int) -> NDArray[np.uint8]:
    """Stretch the whole picture to the square that the model takes.

    Args:
        picture: A decoded picture.
        size: The side of the square, in pixels.

    Returns:
        Pixels of shape (size, size, 3), dtype uint8.
    """
    return np.asarray(picture.image.resize((size, size), Image.Resampling.BICUBIC), dtype=np.uint8)


def open_picture(data: bytes, limits: Limits) -> Picture | Rejection:
    """Decode a file completely to upright sRGB, after its header has passed the size limits.

    Args:
        data: The bytes of the file.
        limits: The sizes that are allowed.

    Returns:
        The picture, or the reason why the file is rejected.
    """
    if not data:
        return Rejection(Reason.EMPTY, "the file has no bytes")
    if len(data) > limits.max_bytes:
        return Rejection(Reason.TOO_MANY_BYTES, f"{len(data):,} bytes, at most {limits.max_bytes:,} are allowed")
    with warnings.catch_warnings():
        # A rejection already explains a size in words; Pillow's warning would only repeat it.
        warnings.simplefilter("ignore")
        return _open(data, limits)


def _open(data: bytes, limits: Limits) -> Picture | Rejection:
    if name := _unsupported_format(data):
        return Rejection(Reason.UNKNOWN_FORMAT, f"{name} is not among the allowed formats ({', '.join(FORMATS)})")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
        return _explain_unopened(data, error)
    try:
        return check_limits(image, limits) or _decode(data, image, limits)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
        return _failure(f"the {image.format} data cannot be decoded", error)


def _decode(data: bytes, image: Image.Image, limits: Limits) -> Picture | Rejection:
    image.load()
    # The decoded size is checked again, since a HEIC file may hold another size than its header says.
    return (
        check_limits(image, limits)
        or _check_truncation(data, image)
        or Picture(to_upright_srgb(image), str(image.format))
    )


def _check_truncation(data: bytes, image: Image.Image) -> Rejection | None:
    """Reject a JPEG that was cut off and closed again, and a PNG that ends in zeros; no decoder complains of them.

    Returns:
        The rejection, or None where the file is complete.
    """
    if image.format == "PNG" and data.endswith(b"\0") and _PNG_END not in data:
        return Rejection(Reason.DAMAGED, "the PNG ends in zeros, and its end mark is lacking: it was not written whole")
    frame = read_frame(data) if data.startswith(_JPEG) else None
    if frame is None:
        return None
    if lacks_scans(data, frame):
        return Rejection(Reason.DAMAGED, "the JPEG ends before its last pass: it is cut off and closed again")
    corner = image.crop((image.width - 1, image.height - 1, image.width, image.height)).tobytes()
    if not FILL_LEVELS.issuperset(corner):
        return None
    # A grey corner may be part of the picture. If the data are complete, appended noise does not change the picture.
    longer = Image.open(io.BytesIO(append_noise(data, frame)), formats=("JPEG",))
    longer.load()
    if ImageChops.difference(image, longer).getbbox() is None:
        return None
    return Rejection(Reason.DAMAGED, "the JPEG ends before its last row: it is cut off and closed again")


def check_limits(image: Image.Image, limits: Limits) -> Rejection | None:
    """Check an opened picture's size and kind; return None where they are allowed.

    Args:
        image: The picture, whose pixels need not be decoded.
        limits: The sizes that are allowed.

    Returns:
        The reason why it is rejected, or None.
    """
    (width, height), mode = image.size, image.mode
    if width * height > limits.max_pixels:
        return Rejection(
            Reason.TOO_MANY_PIXELS, f"{width} x {height} pixels, at most {limits.max_pixels:,} are allowed"
        )
    if min(width, height) < limits.min_side:
        return Rejection(Reason.TOO_SMALL, f"{width} x {height} pixels, at least {limits.min_side} a side are needed")
    if max(width, height) > _MAX_RATIO * min(width, height):
        return Rejection(
            Reason.TOO_NARROW, f"{width} x {height} pixels, one side may be {_MAX_RATIO} times as long as the other"
        )
    if mode in UNSCALED:
        return Rejection(Reason.UNKNOWN_FORMAT, f"{image.format} of 32-bit or signed numbers, which have no white")
    return None


def _explain_unopened(data: bytes, error: Exception) -> Rejection:
    if not isinstance(error, UnidentifiedImageError) or _starts_with_any(data, _SUPPORTED_SIGNATURES):
        return _failure(f"the header of {len(data):,} bytes cannot be read", error)
    if _starts_with_any(data, _HEIC_SIGNATURES):
        if _EXTRA_FORMATS:
            return _failure("the HEIC header cannot be read", error)
        return Rejection(
            Reason.UNKNOWN_FORMAT, "HEIC; install Pedigree's extra heic (the package pillow-heif) to use it"
        )
    return Rejection(Reason.NOT_AN_IMAGE, f"not a picture of a known format ({', '.join(FORMATS)})")


def _unsupported_format(data: bytes) -> str:
    """Name an unsupported format by how the file begins; return "" where it may be supported."""
    if data.startswith(_JPEG):
        frame = read_frame(data)
        return unsupported_kind(frame) if frame else ""
    if is_camera_raw(data):
        return "camera raw"
    return next(
        (name for name, signatures in _UNSUPPORTED_SIGNATURES.items() if _starts_with_any(data, signatures)), ""
    )


def _starts_with_any(data: bytes, signatures: tuple[tuple[int, bytes], ...]) -> bool:
    return any(data.startswith(signature, offset) for offset, signature in signatures)


def _failure(failure: str, error: Exception) -> Rejection:
    if isinstance(error, MemoryError):
        return Rejection(Reason.TOO_MUCH_MEMORY, f"{failure} with the memory that an allowed picture may need")
    # Pillow's message for a file that it cannot identify only names the in-memory stream.
    words = "it is cut off or overwritten" if isinstance(error, UnidentifiedImageError) else first_line(error)
    return Rejection(Reason.DAMAGED, f"{failure} ({words})")
