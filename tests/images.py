"""Facts about image files, read at once as the decoder reads them in steps."""

from tasks.domain.images.image_info import ImageInfo, describe_image, name_image
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Rejection


def validate_image(data: bytes, limits: Limits) -> ImageInfo | Rejection:
    """Decode a file completely, measure it and name it, or say why it is rejected."""
    return name_image(data, describe_image(data, limits))
