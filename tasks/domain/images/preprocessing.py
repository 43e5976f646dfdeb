"""The pixel contract: the one function that turns bytes into model input, in training and in serving."""

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageChops, UnidentifiedImageError

from tasks.domain.images.color_management import UNSCALED, to_upright_srgb
from tasks.domain.images.file_formats import is_camera_raw, lacks_passes, lengthened, read_frame, unread_kind
from tasks.domain.images.rejections import Reason, Rejection, first_line

if TYPE_CHECKING:
    # Never at run time: the served model carries this module, but not the settings.
    from configs.schema import Images

try:
    # The extra "heic": without it such photographs are rejected, and the served model works all the same.
    import pillow_heif
    from pillow_heif import register_heif_opener
except ImportError:
    _EXTRA_FORMATS: tuple[str, ...] = ()
    _EXTRA_VERSION = "no pillow-heif"
else:
    _EXTRA_VERSION = f"pillow-heif {pillow_heif.__version__}"
    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    _EXTRA_FORMATS = ("HEIF",)

# Changes whenever the same bytes would give other pixels; it is part of every backbone's fingerprint.
CONTRACT = "pillow/exif-upright/srgb/white-behind-alpha/stretch/bicubic/2"

# Rises whenever other files are read or refused than before: then what was damaged or of an unknown format is examined
# again. The pixels of what is read are the contract's.
_CHECKS = 2

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", *_EXTRA_FORMATS)
_JPEG = b"\xff\xd8\xff"
# How files begin: those that we read, to tell a damaged picture from none, and those that people take for such.
_READ = (
    (0, _JPEG),
    (0, b"\x89PNG\r\n\x1a\n"),
    (8, b"WEBPVP8"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"GIF8"),
    (4, b"ftypavi"),
)
_PNG_END = b"IEND\xaeB`\x82"
# A JPEG whose data end too early is filled up with the middle of the range by libjpeg, which tells nobody.
_FILLING = {127, 128}
_HEIC = tuple(
    (4, b"ftyp" + brand) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
)
_NOT_READ = {
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
# Stretched to a square, nothing can be recognised in a picture that is so many times longer than wide.
_MAX_RATIO = 50
# Our own limit is held against every header; Pillow's would contradict a setting above 178 megapixels.
Image.MAX_IMAGE_PIXELS = None


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


def decoder_versions() -> str:
    """Name all that decides how bytes are read, and their versions: with others a file may decode that did not."""
    return f"Pillow {PIL.__version__}, {_EXTRA_VERSION}, checks {_CHECKS}"


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
    if name := _not_read(data):
        return Rejection(Reason.UNKNOWN_FORMAT, f"{name} is not among the allowed formats ({', '.join(FORMATS)})")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
        return _not_opened(data, error)
    try:
        return _refused(image, limits) or _decoded(data, image, limits)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on hostile bytes
        return _failed(f"the {image.format} data cannot be decoded", error)


def _decoded(data: bytes, image: Image.Image, limits: Limits) -> Picture | Rejection:
    image.load()
    # A HEIC file may turn out to hold another size than its header said.
    return _refused(image, limits) or _cut_off(data, image) or Picture(to_upright_srgb(image), str(image.format))


def _cut_off(data: bytes, image: Image.Image) -> Rejection | None:
    """Find a JPEG that was cut off and closed again, or a PNG filled up with zeros: no decoder complains of them."""
    if image.format == "PNG" and data.endswith(b"\0") and _PNG_END not in data:
        return Rejection(Reason.DAMAGED, "the PNG ends in zeros, and its end mark is lacking: it was not written whole")
    frame = read_frame(data) if data.startswith(_JPEG) else None
    if frame is None:
        return None
    if lacks_passes(data, frame):
        return Rejection(Reason.DAMAGED, "the JPEG ends before its last pass: it is cut off and closed again")
    corner = image.crop((image.width - 1, image.height - 1, image.width, image.height)).tobytes()
    if not _FILLING.issuperset(corner):
        return None
    # Grey may be what the picture shows. Then it stays the same whatever follows its data.
    longer = Image.open(io.BytesIO(lengthened(data, frame)), formats=("JPEG",))
    longer.load()
    if ImageChops.difference(image, longer).getbbox() is None:
        return None
    return Rejection(Reason.DAMAGED, "the JPEG ends before its last row: it is cut off and closed again")


def _refused(image: Image.Image, limits: Limits) -> Rejection | None:
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


def _not_opened(data: bytes, error: Exception) -> Rejection:
    if not isinstance(error, UnidentifiedImageError) or _begins(data, _READ):
        return _failed(f"the header of {len(data):,} bytes cannot be read", error)
    if _begins(data, _HEIC):
        if _EXTRA_FORMATS:
            return _failed("the HEIC header cannot be read", error)
        return Rejection(
            Reason.UNKNOWN_FORMAT, "HEIC; install Pedigree's extra heic (the package pillow-heif) to use it"
        )
    return Rejection(Reason.NOT_AN_IMAGE, f"not a picture of a known format ({', '.join(FORMATS)})")


def _not_read(data: bytes) -> str:
    """Name the kind of picture that is not read, by how the file begins; empty where it may be read."""
    if data.startswith(_JPEG):
        frame = read_frame(data)
        return unread_kind(frame) if frame else ""
    if is_camera_raw(data):
        return "camera raw"
    return next((name for name, signatures in _NOT_READ.items() if _begins(data, signatures)), "")


def _begins(data: bytes, signatures: tuple[tuple[int, bytes], ...]) -> bool:
    return any(data.startswith(signature, offset) for offset, signature in signatures)


def _failed(failure: str, error: Exception) -> Rejection:
    if isinstance(error, MemoryError):
        return Rejection(Reason.TOO_MUCH_MEMORY, f"{failure} with the memory that an allowed picture may need")
    # An error of Pillow's that nothing can be opened names only our own stream.
    words = "it is cut off or overwritten" if isinstance(error, UnidentifiedImageError) else first_line(error)
    return Rejection(Reason.DAMAGED, f"{failure} ({words})")
