"""Small pictures for pages, inside the page itself."""

import base64
import io

from PIL import Image

from tasks.domain.pixels import Limits, open_picture
from tasks.domain.rejections import Rejection

_SIDE = 96
# More than any settings allow in bytes, and about what Pillow itself refuses in pixels.
_LIMITS = Limits(max_bytes=2**30, max_pixels=170_000_000, min_side=1)


def thumbnail(data: bytes) -> str | None:
    """Turn an image's bytes into a data: address of a JPEG with sides of at most 96 pixels; None where none decodes."""
    picture = open_picture(data, _LIMITS)
    if isinstance(picture, Rejection):
        return None
    small = picture.image.copy()
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    sink = io.BytesIO()
    small.save(sink, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"
