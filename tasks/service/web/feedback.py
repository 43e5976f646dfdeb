"""Feedback over HTTP: programs say whether an answer is right."""

import json
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tasks.domain.serving.inbox.feedback import Feedback, parse_feedback
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError
from tasks.service.web.bodies import Body
from tasks.service.web.contents import check_json
from tasks.service.web.description import openapi
from tasks.service.web.state import ServiceState


def add_feedback(router: APIRouter, state: ServiceState) -> None:
    """Add the address that takes what people say of an answer.

    Args:
        router: The routes.
        state: The parts of the service.
    """

    @router.post("/v1/answers/{answer}/feedback", **openapi.FEEDBACK)
    async def take(answer: str, request: Request) -> Response:
        check_json(request)
        feedback = parse_feedback(await _read_json(state, request))
        judged = state.feedback.take(answer, feedback)
        plain = {"id": judged.id, "label": judged.label, **_describe(feedback)}
        return Response(json.dumps(plain, ensure_ascii=False), media_type="application/json")


def _describe(feedback: Feedback) -> dict[str, Any]:
    return {"verdict": feedback.verdict, "claimed": feedback.claimed or None, "consent": feedback.consent}


async def _read_json(state: ServiceState, request: Request) -> object:
    body = Body(request, state.settings, state.memory)
    try:
        return json.loads(await body.read())
    except (ValueError, RecursionError):
        raise ServiceProblemError(ProblemKind.MALFORMED, "The body is no JSON.") from None
    finally:
        body.release()
