"""Everything that is learned about an image when it is decoded for the first time."""

from dataclasses import dataclass

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.color_management import small_grey
from tasks.domain.images.crops import hash_parts
from tasks.domain.images.image_properties import ImageProperties, measure_image
from tasks.domain.images.near_duplicates import hash_levels, shrink
from tasks.domain.images.preprocessing import Limits, open_picture
from tasks.domain.images.rejections import Rejection


@dataclass(frozen=True, slots=True)
class Description:
    """What decoding tells of a picture; width and height are those of the upright one."""

    width: int
    height: int
    format: str
    phash: bytes
    measures: ImageProperties
    parts: bytes = b""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image that decodes, named by the SHA-256 of its bytes; width and height are those of the upright picture.

    An image of an older store has no hashes of its parts, and what is read of one without its bytes does not have them.
    """

    image: str
    width: int
    height: int
    format: str
    phash: bytes
    measures: ImageProperties
    parts: bytes = b""


def validate_image(data: bytes, limits: Limits) -> ImageInfo | Rejection:
    """Decode a file wholly and measure it, or say why it is no training image."""
    return name_image(data, describe_image(data, limits))


def describe_image(data: bytes, limits: Limits) -> Description | Rejection:
    """Decode a file wholly and measure it, without naming it, or say why it is no training image."""
    picture = open_picture(data, limits)
    if isinstance(picture, Rejection):
        return picture
    grey = small_grey(picture.image)
    levels = shrink(grey)
    return Description(
        width=picture.image.width,
        height=picture.image.height,
        format=picture.format,
        phash=hash_levels(levels),
        measures=measure_image(grey),
        parts=hash_parts(levels),
    )


def name_image(data: bytes, description: Description | Rejection) -> ImageInfo | Rejection:
    """Name what was described by the hash of its bytes."""
    if isinstance(description, Rejection):
        return description
    return ImageInfo(
        image=sha256_of_bytes(data),
        width=description.width,
        height=description.height,
        format=description.format,
        phash=description.phash,
        measures=description.measures,
        parts=description.parts,
    )
