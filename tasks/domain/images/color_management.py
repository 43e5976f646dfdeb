"""Color management: decoded pictures of any mode become upright sRGB with eight bits a channel, on white."""

import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms

#: Pillow modes for which no white level is defined; such files hold heights or temperatures, not photographs.
UNSCALED = ("I", "F")
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_BACKGROUND = (255, 255, 255)
_SRGB = ImageCms.createProfile("sRGB")
# The transposition that undoes each value of the EXIF and TIFF tag Orientation.
_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_MAX_GREY_SIDE = 256
_TIFF_BITS, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


def to_upright_srgb(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode except the unscaled ones to upright sRGB; transparent parts become white."""
    profile = image.info.get("icc_profile")
    colours, alpha = _split_alpha(undo_orientation(image))
    opaque = _apply_profile(colours, profile)
    if alpha is None:
        return opaque
    background = Image.new("RGB", opaque.size, _BACKGROUND)
    background.paste(opaque, mask=alpha)
    return background


def to_small_grey(picture: Image.Image) -> Image.Image:
    """Return the grey copy on which pictures are measured and compared; its longer side has at most 256 pixels.

    Returns:
        The copy. A picture that is already grey and small enough is returned itself, so that several measurements can
        share one copy.
    """
    if picture.mode == "L" and max(picture.size) <= _MAX_GREY_SIDE:
        return picture
    grey = picture.convert("L")
    grey.thumbnail((_MAX_GREY_SIDE, _MAX_GREY_SIDE), Image.Resampling.BOX)
    return grey


def undo_orientation(image: Image.Image) -> Image.Image:
    """Return a picture upright. ``ImageOps.exif_transpose`` would rewrite metadata and fail where they are broken."""
    turn = _TURNS.get(_orientation(image))
    image = _to_eight_bits(image)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        number = image.getexif().get(_ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - broken metadata may raise anything, and viewers then show the stored orientation
        return 1
    return number if isinstance(number, int) else 1


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Keep the upper eight of up to sixteen bits, since Pillow's own conversion clips everything above 255."""
    if image.mode not in _SIXTEEN_BITS:
        return image
    tags = getattr(image, "tag_v2", {})
    levels = np.asarray(image)
    grey = np.minimum(levels >> (_tiff_bits(tags) - 8), 255).astype(np.uint8)
    if tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    picture = Image.fromarray(grey)
    transparent = image.info.get("transparency")
    if transparent is not None:
        picture.putalpha(Image.fromarray(np.where(levels == transparent, 0, 255).astype(np.uint8)))
    return picture


def _tiff_bits(tags: dict[int, tuple[int, ...]]) -> int:
    return tags.get(_TIFF_BITS, (16,))[0]


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Separate the alpha channel, so that a color profile is applied to exactly the channels it was made for."""
    if image.mode == "1":
        image = image.convert("L")
    if image.mode in ("La", "LA") or (image.mode == "L" and "transparency" in image.info):
        image = image.convert("LA")
        return image.getchannel("L"), image.getchannel("A")
    if image.mode in ("P", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return image.convert("RGB"), image.getchannel("A")
    return image, None


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "LAB":
        return _apply_transform(image, _lab_to_srgb())
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if profile:
        try:
            return _apply_transform(image, _to_srgb(profile, image.mode))
        except (ImageCms.PyCMSError, OSError, ValueError):
            # The profile is broken or meant for other channels. Viewers then convert without it, too.
            return image.convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """Build a profile's transform, cached: few profiles are common, and reading one takes as long as applying it."""
    return ImageCms.buildTransform(ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB, mode, "RGB")


@cache
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), _SRGB, "LAB", "RGB")


def _apply_transform(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ValueError("no picture came back")  # never: Pillow returns None only when it converts in place
    return converted
