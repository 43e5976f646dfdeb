"""Explanations: what is wrong with a setting, in the words of whoever wrote it."""

import difflib
import re
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from configs.schema import Settings
from configs.servers import Operations
from configs.visible_text import shown

#: The most characters of what somebody wrote that an error repeats.
LONGEST_SHOWN = 100
_NUMBER = re.compile(r"[-+.\d][-+.:\w]*")


def explain(error: ErrorDetails) -> str:
    """Return in words, ending with a full stop, what pydantic found wrong in a setting."""
    path = [str(part) for part in error["loc"]]
    name = ".".join(path)
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, [*_names(Settings), *_names(Operations)], n=1)
        return f"there is no setting {name}" + (f"; did you mean {near[0]}?" if near else ".")
    if error["type"] == "missing":
        return f"the setting {name} is missing."
    if error["type"] == "model_type":
        return f"{name} holds settings of its own: write each on a line below it, as pedigree init does."
    if error["type"] == "secret":
        return f"{name} {error['msg']}."
    if error["type"] == "value_error":
        return f"{error['ctx']['error']}."
    wrong = f"{name} = {_shown(error['input'])} is not allowed: {error['msg'][0].lower()}{error['msg'][1:]}"
    choices = re.findall("'([^']*)'", str(error["ctx"]["expected"])) if error["type"] == "literal_error" else []
    near = difflib.get_close_matches(str(error["input"]), choices, n=1)
    return f"{wrong}; did you mean {near[0]}?" if near else f"{wrong}."


def _shown(value: object) -> str:
    """Format a value of the settings: numbers as they are, words in quotes, long texts cut off."""
    text = shown(value if isinstance(value, str) and _NUMBER.fullmatch(value) else repr(value))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _names(field.annotation, f"{prefix}{name}.")
