"""Columns of the table of images: one row for each image, with its bytes and what was measured."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tasks.domain.images import crops
from tasks.domain.images.crops import PARTS_BYTES, middle_hash
from tasks.domain.images.image_info import ImageInfo, ImageProperties
from tasks.domain.images.near_duplicates import HASH_BYTES, METHOD

# Photographs are compressed already: to try it once more took Lance four times as long as to write them.
_AS_IT_IS = {"lance-encoding:compression": "none"}
#: The hashes of a picture's parts are read of new images alone, that of its middle of all.
PARTS, MIDDLE = crops.METHOD, f"{crops.METHOD}-middle"
#: The columns, of which an older table lacks the last ones.
SCHEMA = pa.schema(
    [
        ("image", pa.string()),
        pa.field("data", pa.large_binary(), metadata=_AS_IT_IS),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        (METHOD, pa.binary(HASH_BYTES)),
        ("brightness", pa.float64()),
        ("contrast", pa.float64()),
        ("sharpness", pa.float64()),
        ("tone", pa.float64()),
        # An image that an older Pedigree stored has none.
        pa.field(PARTS, pa.binary(PARTS_BYTES), metadata=_AS_IT_IS),
        (MIDDLE, pa.binary(HASH_BYTES)),
    ]
)
# Images that are copied for Lance at once: memory that comes fresh from the system costs more than writing.
_A_BATCH = 256


def image_rows(images: Sequence[tuple[ImageInfo, bytes]]) -> pa.RecordBatchReader:
    """Return images with their bytes as rows, some at a time."""
    batches = (_rows(images[start : start + _A_BATCH]) for start in range(0, len(images), _A_BATCH))
    return pa.RecordBatchReader.from_batches(SCHEMA, batches)


def _rows(images: Sequence[tuple[ImageInfo, bytes]]) -> pa.RecordBatch:
    """Put images into columns, which copies their bytes once."""
    facts = [examined for examined, _ in images]
    columns: dict[str, list[Any]] = {
        name: [getattr(info, name) for info in facts] for name in ("image", "width", "height", "format")
    }
    columns |= {name: [getattr(info.properties, name) for info in facts] for name in ImageProperties.__slots__}
    columns |= {METHOD: [info.phash for info in facts], "data": [data for _, data in images]}
    columns |= {
        PARTS: [info.parts or None for info in facts],
        MIDDLE: [middle_hash(info.parts) or None for info in facts],
    }
    return pa.record_batch([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def image_info(row: dict[str, Any]) -> ImageInfo:
    """Return what was measured of the image in a row."""
    measures = ImageProperties(**{name: row.pop(name) for name in ImageProperties.__slots__})
    return ImageInfo(phash=row.pop(METHOD), **row, properties=measures)
