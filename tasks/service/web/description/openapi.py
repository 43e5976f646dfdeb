"""What OpenAPI says of each address, with requests and answers as they really are."""

from typing import Any

from starlette.responses import Response

from tasks.domain.serving.problems import PROBLEM_JSON, ProblemKind
from tasks.service.web.description import schemas

_MODEL = {
    "name": "drawn-dogs",
    "version": "4",
    "decision": 4,
    "head": "c4731d1a5b0c1f0c7a2f0b7f3f7f6f2f9a9e3f0b6f2d1c0b9a8f7e6d5c4b3a29",
    "backbone": "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "dataset": "395f1c4b7d6e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a",
    "trained": "2026-11-28T02:00:00+00:00",
}
_ANSWER = {
    "id": "01KB4V5N7Q3M8X2D6F9H0J1K2M",
    "label": "beagle",
    "probability": 0.9375,
    "sure": True,
    "probabilities": {"beagle": 0.9375, "corgi": 0.04296875, "poodle": 0.01953125},
    "unusual": 0.3125,
    "model": _MODEL,
    "elapsed_ms": 138.2,
}
_EXPLAINED = _ANSWER | {
    "why": {
        "nearest": [{"label": "beagle", "likeness": 0.931}, {"label": "beagle", "likeness": 0.902}],
        "runner_up": [],
        "class": {
            "label": "beagle",
            "training_images": 61,
            "test_images": 12,
            "recall": 0.9166666666666666,
            "worst_slice": "coat=white",
            "worst_recall": 0.8,
        },
    }
}
_UNUSABLE = {
    "id": "01KB4V5N7Q3M8X2D6F9H0J1K2N",
    "label": None,
    "probability": None,
    "sure": False,
    "probabilities": None,
    "unusual": None,
    "model": _MODEL,
    "elapsed_ms": 1.4,
    "problem": {
        "type": ProblemKind.UNUSABLE.address,
        "title": ProblemKind.UNUSABLE.title,
        "status": 422,
        "detail": "not a picture of a known format (JPEG, PNG, WEBP).",
        "reason": "not-an-image",
    },
}
_PREDICTION = {
    "label": "beagle",
    "probability": 0.9375,
    "sure": True,
    "probabilities": {"beagle": 0.9375, "corgi": 0.0625},
    "problem": "",
}
_FILE = {"type": "string", "format": "binary", "minLength": 1}
_BYTES = {"schema": _FILE}
_FORM = {
    "schema": schemas.describe_object({"image": schemas.describe_list(_FILE), "consent": schemas.CONSENT}, "consent")
}
_MLFLOW = {"schema": schemas.MLFLOW, "example": {"dataframe_records": [{"image": schemas.encode_example()}]}}


def _text(example: object, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"application/json": {"schema": schema or {"type": "object"}, "example": example}}


def _problems(*kinds: ProblemKind) -> dict[int | str, dict[str, Any]]:
    """Describe problems by their status; those of one status share a description."""
    described: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        example = {"type": kind.address, "title": kind.title, "status": kind.status, "detail": f"{kind.title}."}
        titles = [described[kind.status]["description"]] if kind.status in described else []
        described[kind.status] = {
            "description": "; or: ".join([*titles, kind.title]),
            "content": {PROBLEM_JSON: {"schema": schemas.PROBLEM, "example": example}},
        }
    return described


_ASKED = _problems(
    ProblemKind.EMPTY_BODY,
    ProblemKind.MALFORMED,
    ProblemKind.NO_KEY,
    ProblemKind.CROSS_SITE,
    ProblemKind.SLOW_BODY,
    ProblemKind.TOO_LARGE,
    ProblemKind.TOO_MANY,
    ProblemKind.WRONG_TYPE,
    ProblemKind.WRONG_HOST,
    ProblemKind.UNUSABLE,
    ProblemKind.BUSY,
    ProblemKind.NO_MODEL,
)
_ALWAYS = _problems(ProblemKind.WRONG_HOST)
_WITH_KEY = _problems(ProblemKind.NO_KEY, ProblemKind.WRONG_HOST)


def _route(summary: str, responses: dict[int | str, dict[str, Any]], **more: object) -> dict[str, Any]:
    return {"summary": summary, "response_class": Response, "responses": responses, **more}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": content}}


_SEVERAL = {"answers": [_ANSWER, _UNUSABLE]}
_WHY = {
    "name": "why",
    "in": "query",
    "description": "1 to be told the nearest training images, and what the model knows of the class.",
    "schema": {"type": "string", "enum": ["0", "1"]},
}
_CONSENT = {
    "name": "X-Pedigree-Consent",
    "in": "header",
    "description": "yes, where whoever the photographs belong to agrees to have them kept for training.",
    "schema": schemas.CONSENT,
}
#: FastAPI would leave out that a file without an answer has the label null.
EXAMPLES = {"one": {"value": _ANSWER}, "several": {"value": _SEVERAL}, "why": {"value": _EXPLAINED}}
PREDICT: dict[str, Any] = _route(
    "Say what one photograph shows, or several",
    {
        200: {
            "description": "An answer; of a form or of JSON a list with one for each photograph, in their order.",
            "headers": {"X-Pedigree-Model": {"schema": {"type": "string"}, "description": "Such as 4@c473."}},
            "content": {
                "application/json": {
                    "schema": schemas.ANSWERS,
                }
            },
        },
        **_ASKED,
    },
    openapi_extra=_body(
        {
            "image/*": _BYTES,
            "application/octet-stream": _BYTES,
            "multipart/form-data": _FORM,
            "application/json": _MLFLOW,
        }
    )
    | {"parameters": [_WHY, _CONSENT]},
)
TRAINING: dict[str, Any] = _route(
    "Show a training photograph that an explanation names",
    {
        200: {"description": "The photograph, shrunk.", "content": {"image/jpeg": _BYTES}},
        **_problems(ProblemKind.NOT_FOUND),
        **_WITH_KEY,
    },
)
INVOCATIONS: dict[str, Any] = _route(
    "Answer as MLflow's own server does",
    {
        200: {
            "description": "A row for each photograph.",
            "content": _text({"predictions": [_PREDICTION]}, schemas.PREDICTIONS),
        },
        **_ASKED,
    },
    openapi_extra=_body({"application/json": _MLFLOW}),
)
_FEEDBACK = {"right": False, "label": "corgi", "consent": True}
_JUDGED = {"id": _ANSWER["id"], "label": "beagle", "verdict": "wrong", "claimed": "corgi", "consent": True}
FEEDBACK: dict[str, Any] = _route(
    "Say whether an answer is right",
    {
        200: {"description": "It is noted; it is no label.", "content": _text(_JUDGED, schemas.JUDGED)},
        **_problems(
            ProblemKind.EMPTY_BODY,
            ProblemKind.MALFORMED,
            ProblemKind.NO_KEY,
            ProblemKind.CROSS_SITE,
            ProblemKind.UNKNOWN_ANSWER,
            ProblemKind.SLOW_BODY,
            ProblemKind.CONFLICT,
            ProblemKind.GONE,
            ProblemKind.TOO_LARGE,
            ProblemKind.WRONG_TYPE,
            ProblemKind.WRONG_HOST,
            ProblemKind.BUSY,
        ),
    },
    openapi_extra=_body(_text(_FEEDBACK, schemas.FEEDBACK)),
)
LIVE: dict[str, Any] = _route(
    "Tell whether the process is alive",
    {200: {"description": "It is.", "content": _text({"status": "live"})}, **_ALWAYS},
)
_READY = {
    "status": "ready",
    "model": _MODEL,
    "following": {"place": "the ledger of s3://dogs/store", "age_seconds": 1.2},
}
READY: dict[str, Any] = _route(
    "Tell whether it answers, by which model, and how it follows who is champion",
    {
        200: {"description": "It answers.", "content": _text(_READY)},
        503: {"description": "It has no model yet, or is about to stop.", "content": _text({"status": "draining"})},
        **_ALWAYS,
    },
)
PING: dict[str, Any] = _route(
    "Tell whether it answers, as MLflow's own server does",
    {200: {"description": "It answers."}, 503: {"description": "It does not."}, **_ALWAYS},
)
VERSION: dict[str, Any] = _route(
    "Tell which model serves, and which Pedigree",
    {
        200: {
            "description": "Versions and hashes.",
            "content": _text(
                {"pedigree": "0.2.0", "python": "3.11.9", "engine": "tensorflow 2.21.0 onednn=1", "model": _MODEL}
            ),
        },
        **_problems(ProblemKind.NO_MODEL),
        **_WITH_KEY,
    },
)
_SHADOW = {
    "name": "5f0c1d2e3a4b5c6d",
    "waits_for": "a person",
    "share": 1.0,
    "dropped": 0,
    "champion": _MODEL,
    "challenger": _MODEL | {"version": "5", "decision": 5},
    "answers": 1200,
    "agreed": 1164,
    "disagreement": 0.03,
    "both_sure_different": 4,
    "classes": [{"label": "corgi", "answers": 210, "agreed": 190, "instead": "beagle"}],
    "pairs": [["corgi", "beagle", 20], ["corgi", "corgi", 190]],
    "disputed": [],
}
SHADOW: dict[str, Any] = _route(
    "Tell how the challenger that waits would have answered, beside the champion",
    {
        200: {
            "description": "Counts, by class too, and the photographs on which they differ.",
            "content": _text(_SHADOW),
        },
        **_problems(ProblemKind.NOT_FOUND),
        **_WITH_KEY,
    },
)
METRICS: dict[str, Any] = _route(
    "Give counts and times to Prometheus",
    {200: {"description": "Metrics as text.", "content": {"text/plain": {"schema": {"type": "string"}}}}, **_WITH_KEY},
)
