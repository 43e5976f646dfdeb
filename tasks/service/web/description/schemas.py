"""JSON schemas of what the service takes and gives, with which programs can be generated."""

import base64
import io
from functools import cache
from typing import Any

from PIL import Image

_TEXT, _NUMBER, _WHOLE, _SHARE = (
    {"type": "string"},
    {"type": "number"},
    {"type": "integer"},
    {"type": "number", "minimum": 0, "maximum": 1},
)
_HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ID = {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$"}
#: Whether photographs may be kept.
CONSENT = {"type": "string", "enum": ["yes", "no"]}
_EXAMPLE_SIDE = 64


def describe_object(properties: dict[str, Any], *optional: str) -> dict[str, Any]:
    """Describe an object all of whose properties are always there, but for some.

    Args:
        properties: The schemas of its properties by name.
        *optional: The names of those that may lack.

    Returns:
        Its schema.
    """
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def describe_list(items: dict[str, Any]) -> dict[str, Any]:
    """Describe a list of at least one item of this schema."""
    return {"type": "array", "items": items, "minItems": 1}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


PROBLEM = describe_object(
    {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": _WHOLE,
        "detail": _TEXT,
        "reason": {"type": "string", "description": "Why a photograph is rejected."},
    },
    "reason",
)
MODEL = describe_object(
    {
        "name": _TEXT,
        "version": _TEXT,
        "decision": _WHOLE,
        "head": _HASH,
        "backbone": _HASH,
        "dataset": _HASH,
        "trained": _or_null({"type": "string", "format": "date-time"}),
    }
)
_PROBABILITIES = _or_null({"type": "object", "additionalProperties": _SHARE})
ANSWER = describe_object(
    {
        "id": _ID,
        "label": _or_null(_TEXT),
        "probability": _or_null(_SHARE),
        "sure": {"type": "boolean"},
        "probabilities": _PROBABILITIES,
        "unusual": _or_null(_SHARE),
        "model": MODEL,
        "elapsed_ms": _NUMBER,
        "why": {"type": "object", "description": "Nearest training images, and what the model knows of the class."},
        "problem": PROBLEM,
    },
    "why",
    "problem",
)
ANSWERS = {"anyOf": [ANSWER, describe_object({"answers": describe_list(ANSWER)})]}
PREDICTIONS = describe_object(
    {
        "predictions": describe_list(
            describe_object(
                {
                    "label": _or_null(_TEXT),
                    "probability": _or_null(_SHARE),
                    "sure": {"type": "boolean"},
                    "probabilities": _PROBABILITIES,
                    "problem": _TEXT,
                }
            )
        )
    }
)
_FLAG = {"type": "boolean"}
_CLAIMED = {"type": "string", "description": "The class that a wrong answer should have named."}
_AGREES = _FLAG | {
    "description": "Whether the photograph may be kept, so that people label it and models learn from it."
}
_CLOSED = {"additionalProperties": False}
FEEDBACK = {
    "oneOf": [
        describe_object({"right": {"const": True}, "consent": _AGREES}, "consent") | _CLOSED,
        describe_object({"right": {"const": False}, "label": _CLAIMED, "consent": _AGREES}, "label", "consent")
        | _CLOSED,
        describe_object({"consent": _AGREES}) | _CLOSED,
    ]
}
JUDGED = describe_object(
    {
        "id": _ID,
        "label": _TEXT,
        "verdict": {"enum": ["right", "wrong", None]},
        "claimed": _or_null(_TEXT),
        "consent": _or_null(_FLAG),
    }
)
_ENCODED = {"type": "string", "format": "byte", "description": "Base64 of a file."}
_RECORD = describe_object({"image": _ENCODED})
_RECORDS = describe_list(_RECORD)
_COLUMNS = {"type": "array", "prefixItems": [{"const": "image"}], "items": False, "minItems": 1}
#: The forms of JSON that MLflow's servers take.
MLFLOW = {
    "oneOf": [
        describe_object({"dataframe_records": _RECORDS}),
        describe_object(
            {
                "dataframe_split": describe_object(
                    {
                        "columns": _COLUMNS,
                        "data": describe_list({"type": "array", "items": _ENCODED, "minItems": 1, "maxItems": 1}),
                    }
                )
            }
        ),
        describe_object({"instances": _RECORDS}),
        describe_object({"inputs": describe_object({"image": describe_list(_ENCODED)})}),
    ]
}


def bound_lists(described: Any, most: int) -> None:  # noqa: ANN401 - whatever a description holds
    """Bound the lists of photographs in the description of a request.

    Args:
        described: The description, which is changed.
        most: The most photographs of one request.
    """
    parts = described.values() if isinstance(described, dict) else described if isinstance(described, list) else ()
    for part in parts:
        bound_lists(part, most)
    if isinstance(described, dict) and described.get("type") == "array" and "prefixItems" not in described:
        described.setdefault("maxItems", most)


@cache
def encode_example() -> str:
    """Return the base64 of a small grey photograph, as an example that can be sent as it is."""
    sink = io.BytesIO()
    Image.new("RGB", (_EXAMPLE_SIDE, _EXAMPLE_SIDE), "grey").save(sink, "PNG")
    return base64.b64encode(sink.getvalue()).decode()
