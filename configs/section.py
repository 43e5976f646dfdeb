"""What every section of the settings is."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from configs.addresses import secret_in

# YAML 1.2's other ways to write a whole number.
_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")


class Section(BaseModel):
    """Frozen, closed to names that it does not know, and to secrets in addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _without_secrets(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever a person wrote
        kind = cls.model_fields[str(info.field_name)].annotation
        for text in () if isinstance(kind, type) and issubclass(kind, Section) else _texts(value):
            if belongs := secret_in(text):
                # The value is not repeated: it would show the secret again.
                message = "holds a password, a key or a token: leave it out, and {belongs}"
                raise PydanticCustomError("secret", message, {"belongs": belongs})
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _whole_numbers(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - as above
        if not isinstance(value, str) or cls.model_fields[str(info.field_name)].annotation is not int:
            return value
        with suppress(ValueError):
            return int(value, 0) if _INTEGER.fullmatch(value) else _whole(value)
        return value


def _whole(text: str) -> int | str:
    """Read 1e3, which YAML 1.2 takes for a number as well; what pydantic reads itself stays as it is."""
    return (
        int(float(text)) if re.fullmatch(r"[-+]?\d+(\.\d*)?[eE]\+?\d{1,2}", text) and float(text).is_integer() else text
    )


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in _texts(one))
    elif isinstance(value, list | tuple):
        yield from (text for one in value for text in _texts(one))
