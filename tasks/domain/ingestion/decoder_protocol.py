"""What a decoding process may answer: JSON of a fixed shape, each value within its bounds, and nothing else."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from tasks.domain.images.crops import PARTS_BYTES
from tasks.domain.images.image_info import Description, ImageProperties
from tasks.domain.images.near_duplicates import HASH_BYTES
from tasks.domain.images.preprocessing import FORMATS, Limits
from tasks.domain.images.rejections import DETAIL_LETTERS, Reason, Rejection

# An answer with the longest detail, each letter of it written as two escapes.
ANSWER_BYTES = max(12 * DETAIL_LETTERS, 2 * PARTS_BYTES) + 500
# What could not be taken from the process, as tasks.ingestion.sandbox says it.
_Missing = TypeAdapter(list[Literal["files", "other processes"]])
# Why a file may be refused by its bytes; other reasons only the night itself can know.
DECODERS_REASONS = (
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
# The Laplacian is cut to eight bits, so that its variance is at most the square of 128.
_SHARPEST = 128.0**2
# A JPEG of several pictures is opened as one and then calls itself MPO.
_FORMATS = (*FORMATS, "MPO")

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Measures(_Strict):
    brightness: _Share
    contrast: _Share
    sharpness: Annotated[float, Field(ge=0, le=_SHARPEST, allow_inf_nan=False)]
    tone: _Share


class _Described(_Strict):
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    format: Literal[_FORMATS]  # type: ignore[valid-type]
    phash: Annotated[str, Field(pattern=f"^[0-9a-f]{{{2 * HASH_BYTES}}}$")]
    measures: _Measures
    parts: Annotated[str, Field(pattern=f"^[0-9a-f]{{{2 * PARTS_BYTES}}}$")]


class _Refused(_Strict):
    reason: Reason
    detail: Annotated[str, Field(max_length=DETAIL_LETTERS)]

    @model_validator(mode="after")
    def _can_be_known_there(self) -> Self:
        if self.reason not in DECODERS_REASONS:
            raise ValueError("no decoder can know that")
        return self


_Answers = TypeAdapter(list[_Described | _Refused])


def read_answers(message: bytes, files: int, limits: Limits) -> list[Description | Rejection]:
    """Read what a process says about so many files.

    Raises:
        ValueError: Where it is not one possible answer for each of them.
    """
    answers = _Answers.validate_json(message)
    if len(answers) != files:
        raise ValueError(f"{len(answers)} answers about {files} files")
    return [_read(answer, limits) for answer in answers]


def read_missing(message: bytes) -> Sequence[str]:
    """Read what a process could not give up; ValueError where it says anything else."""
    return _Missing.validate_json(message)


def _read(answer: _Described | _Refused, limits: Limits) -> Description | Rejection:
    if isinstance(answer, _Refused):
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
