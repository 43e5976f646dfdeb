"""What a person sees of a decoded picture: upright, eight bits a channel, in sRGB, on white."""

import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms

# Numbers that do not say which of them is white, such as heights or temperatures.
UNSCALED = ("I", "F")
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_BACKGROUND = (255, 255, 255)
_SRGB = ImageCms.createProfile("sRGB")
# EXIF and TIFF number what was done to the picture; these undo it.
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
_SMALL = 256
_TIFF_BITS, _TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


def to_upright_srgb(image: Image.Image) -> Image.Image:
    """Turn a picture of any mode but the unscaled ones upright and into sRGB; transparent parts become white."""
    profile = image.info.get("icc_profile")
    colours, alpha = _colours_and_alpha(_upright(image))
    opaque = _by_profile(colours, profile)
    if alpha is None:
        return opaque
    background = Image.new("RGB", opaque.size, _BACKGROUND)
    background.paste(opaque, mask=alpha)
    return background


def small_grey(picture: Image.Image) -> Image.Image:
    """Make the copy on which pictures are measured and compared: grey, its longer side at most 256 pixels.

    One that is so already is returned itself, so that several measurements can share one copy.
    """
    if picture.mode == "L" and max(picture.size) <= _SMALL:
        return picture
    grey = picture.convert("L")
    grey.thumbnail((_SMALL, _SMALL), Image.Resampling.BOX)
    return grey


def _upright(image: Image.Image) -> Image.Image:
    """Undo the orientation; Pillow's own way would also write the metadata anew, which fails where they are broken."""
    turn = _TURNS.get(_orientation(image))
    image = _eight_bits(image)
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    try:
        number = image.getexif().get(_ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - broken metadata raise anything, and viewers show the picture as it is stored
        return 1
    return number if isinstance(number, int) else 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """Keep the upper eight of up to sixteen bits; Pillow's own conversion would clip everything above 255."""
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


def _colours_and_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Take the transparency off, so that a profile meets the very channels that it was made for."""
    if image.mode == "1":
        image = image.convert("L")
    if image.mode in ("La", "LA") or (image.mode == "L" and "transparency" in image.info):
        image = image.convert("LA")
        return image.getchannel("L"), image.getchannel("A")
    if image.mode in ("P", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return image.convert("RGB"), image.getchannel("A")
    return image, None


def _by_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode == "LAB":
        return _converted(image, _lab_to_srgb())
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    if profile:
        try:
            return _converted(image, _to_srgb(profile, image.mode))
        except (ImageCms.PyCMSError, OSError, ValueError):
            # A profile that is broken or meant for other channels says nothing; viewers convert plainly too.
            return image.convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """Read a profile once: most photographs carry one of a few, and reading it takes as long as applying it."""
    return ImageCms.buildTransform(ImageCms.ImageCmsProfile(io.BytesIO(profile)), _SRGB, mode, "RGB")


@cache
def _lab_to_srgb() -> ImageCms.ImageCmsTransform:
    return ImageCms.buildTransform(ImageCms.createProfile("LAB"), _SRGB, "LAB", "RGB")


def _converted(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:
        raise ValueError("no picture came back")  # only where it is converted in place
    return converted
