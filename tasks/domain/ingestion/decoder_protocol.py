"""The decoder protocol: what a decoding process may answer, as JSON of a fixed shape with bounded values."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from tasks.domain.images.crops import PARTS_BYTES
from tasks.domain.images.image_info import Description, ImageProperties
from tasks.domain.images.near_duplicates import HASH_BYTES
from tasks.domain.images.preprocessing import FORMATS, Limits
from tasks.domain.images.rejections import DETAIL_LETTERS, Reason, Rejection

#: The longest answer about one file, in bytes: a detail whose every character is written as two JSON escapes.
MAX_RESPONSE_BYTES = max(12 * DETAIL_LETTERS, 2 * PARTS_BYTES) + 500
# 31 bytes a pixel were measured for HEIC and AVIF, where five copies are held at once: decoded planes, the library's
# copy, Pillow's, the upright one and the one in sRGB. Other formats need 14 to 19.
_BYTES_A_PIXEL = 40
# Bytes for Python, Pillow, NumPy and SciPy.
_FLOOR = 2**29
# The rights that a process could not give up, in the words of tasks.decoding.sandbox.
_MissingList = TypeAdapter(list[Literal["files", "other processes"]])
#: The reasons for which a decoder may reject a file; the other reasons are known only to the run itself.
DECODER_REASONS = (
    Reason.EMPTY,
    Reason.NOT_AN_IMAGE,
    Reason.UNKNOWN_FORMAT,
    Reason.DAMAGED,
    Reason.TOO_MANY_BYTES,
    Reason.TOO_MANY_PIXELS,
    Reason.TOO_SMALL,
    Reason.TOO_NARROW,
    Reason.TOO_MUCH_MEMORY,
    Reason.DECODER_DIED,
)
# The Laplacian is clipped to eight bits, so its variance is at most the square of 128.
_MAX_SHARPNESS = 128.0**2
# Pillow opens a JPEG that holds several pictures as JPEG and then reports the format MPO.
_FORMATS = (*FORMATS, "MPO")

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Measures(_Strict):
    brightness: _Share
    contrast: _Share
    sharpness: Annotated[float, Field(ge=0, le=_MAX_SHARPNESS, allow_inf_nan=False)]
    tone: _Share


class _DescribedResponse(_Strict):
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    format: Literal[_FORMATS]  # type: ignore[valid-type]
    phash: Annotated[str, Field(pattern=f"^[0-9a-f]{{{2 * HASH_BYTES}}}$")]
    measures: _Measures
    parts: Annotated[str, Field(pattern=f"^[0-9a-f]{{{2 * PARTS_BYTES}}}$")]


class _RejectedResponse(_Strict):
    reason: Reason
    detail: Annotated[str, Field(max_length=DETAIL_LETTERS)]

    @model_validator(mode="after")
    def _can_be_known_there(self) -> Self:
        if self.reason not in DECODER_REASONS:
            raise ValueError("no decoder can know that")
        return self


_ResponseList = TypeAdapter(list[_DescribedResponse | _RejectedResponse])
_RefusalOrNone = TypeAdapter(_RejectedResponse | None)


def decoding_memory(limits: Limits) -> int:
    """Return how much memory a process needs to decode any picture that the limits allow, in bytes."""
    return _FLOOR + 3 * limits.max_bytes + _BYTES_A_PIXEL * limits.max_pixels


def parse_responses(message: bytes, files: int, limits: Limits) -> list[Description | Rejection]:
    """Parse and validate what a decoding process answers.

    Args:
        message: The JSON that it wrote.
        files: How many files it was given.
        limits: The sizes that were allowed.

    Returns:
        The description or the rejection of each file, in the order in which they were given.

    Raises:
        ValueError: The message is not one valid answer for each file.
    """
    answers = _ResponseList.validate_json(message)
    if len(answers) != files:
        raise ValueError(f"{len(answers)} answers about {files} files")
    return [_to_result(answer, limits) for answer in answers]


def parse_refusal(message: bytes) -> Rejection | None:
    """Parse the answer of a process that hands over pixels: null, or why it has none; else it is a ValueError."""
    answer = _RefusalOrNone.validate_json(message)
    return Rejection(answer.reason, answer.detail) if answer else None


def parse_missing(message: bytes) -> Sequence[str]:
    """Parse the rights that a process could not give up; a message with anything else is a ValueError."""
    return _MissingList.validate_json(message)


def _to_result(answer: _DescribedResponse | _RejectedResponse, limits: Limits) -> Description | Rejection:
    if isinstance(answer, _RejectedResponse):
        return Rejection(answer.reason, answer.detail)
    if answer.width * answer.height > limits.max_pixels or min(answer.width, answer.height) < limits.min_side:
        raise ValueError("a size that would have been refused")
    return Description(
        answer.width,
        answer.height,
        str(answer.format),
        bytes.fromhex(answer.phash),
        ImageProperties(**answer.measures.model_dump()),
        bytes.fromhex(answer.parts),
    )
