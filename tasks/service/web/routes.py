"""The addresses of the service, and what each of them answers."""

import asyncio
import json
import math
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata
from typing import Any, cast

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tasks.domain.serving.answers import Answer
from tasks.domain.serving.inbox.consent import Consent, parse_consent
from tasks.domain.serving.problems import PROBLEM_JSON, ProblemKind, ServiceProblem, ServiceProblemError
from tasks.service import metrics
from tasks.service.answering import Observer
from tasks.service.models.served_model import ServedModel
from tasks.service.web.bodies import Body
from tasks.service.web.contents import Photographs, check_json, check_type, take_apart
from tasks.service.web.description import openapi
from tasks.service.web.explanations import add_training_photographs, asks_why
from tasks.service.web.feedback import add_feedback
from tasks.service.web.state import ServiceState

#: The header by which senders of photographs agree to have them kept for training.
CONSENT_HEADER = "X-Pedigree-Consent"


def build_routes(state: ServiceState) -> APIRouter:
    """Build the routes of the API.

    Args:
        state: The parts of the service.

    Returns:
        The routes.
    """
    router = APIRouter()
    _add_answers(router, state)
    add_training_photographs(router, state)
    add_feedback(router, state)
    _add_health(router, state)
    _add_facts(router, state)
    return router


def _add_answers(router: APIRouter, state: ServiceState) -> None:
    """Add the addresses that answer photographs."""

    @router.post("/v1/predict", **openapi.PREDICT)
    async def predict(request: Request) -> Response:
        model, photographs, answers = await answer_request(state, request, why=asks_why(request))
        if not photographs.several:
            return _single(model, answers[0])
        plain = {"answers": [answer.to_dict() for answer in answers]}
        if any(answer.problem is None for answer in answers):
            return _json(plain, 200, model)
        problem = ServiceProblem(ProblemKind.UNUSABLE, "None of the photographs can be used.")
        return _json(problem.to_dict() | plain, problem.kind.status, model, PROBLEM_JSON)

    @router.post("/invocations", **openapi.INVOCATIONS)
    async def invocations(request: Request) -> Response:
        check_json(request)
        model, _, answers = await answer_request(state, request)
        return _json({"predictions": [_as_mlflow(answer) for answer in answers]}, 200, model)


def _add_health(router: APIRouter, state: ServiceState) -> None:
    """Add the addresses that tell a load balancer whether to send requests here."""

    @router.get("/live", **openapi.LIVE)
    async def live() -> Response:
        return _json({"status": "live"})

    @router.get("/ready", **openapi.READY)
    async def ready(request: Request) -> Response:
        plain = describe_readiness(state)
        if not state.access.knows(request.headers):
            plain = {"status": plain["status"]}
        return _json(plain, _readiness(state))

    @router.get("/ping", **openapi.PING)
    async def ping() -> Response:
        return Response(b"\n", _readiness(state), media_type="application/json")


def _add_facts(router: APIRouter, state: ServiceState) -> None:
    """Add the addresses that tell which model serves, and what was counted."""

    @router.get("/version", **openapi.VERSION)
    async def version() -> Response:
        model = state.model()
        engine = model.backbone.facts["engine"]
        plain = {"pedigree": metadata.version("pedigree"), "python": platform.python_version(), "engine": engine}
        return _json({**plain, "model": model.identity.to_dict()}, 200, model)

    @router.get("/v1/shadow", **openapi.SHADOW)
    async def shadow() -> Response:
        comparison = state.shadow.describe()
        if comparison is None:
            raise ServiceProblemError(ProblemKind.NOT_FOUND, "No challenger is in the champion's shadow.")
        return _json(dict(comparison))

    @router.get("/metrics", **openapi.METRICS)
    async def read_metrics() -> Response:
        return Response(state.metrics.render(), media_type=metrics.CONTENT_TYPE)


def describe_readiness(state: ServiceState) -> dict[str, Any]:
    """Return whether the service answers, by which model, and how it follows the decisions, as JSON can hold it."""
    following, model = state.follower.following, state.follower.model
    age = state.following_age()
    word = "draining" if state.draining else "ready" if model else "no model"
    description = {
        "place": following.place,
        "age_seconds": None if math.isinf(age) else round(age, 1),
        "unreachable": following.unreachable,
        "refused": following.refused,
        "checked": following.checked,
        "kept": following.kept,
        "waits": following.waits,
    }
    shown = {name: value for name, value in description.items() if value != ""}
    plain = {"status": word, "model": model.identity.to_dict() if model else None, "following": shown}
    plain |= {"why": state.explainer.waits} if state.explainer.waits else {}
    inbox = state.feedback.collector.describe()
    return plain | ({"inbox": dict(inbox)} if inbox else {})


def _readiness(state: ServiceState) -> int:
    """Return the HTTP status that says whether requests are welcome."""
    return 200 if state.follower.model and not state.draining else ProblemKind.NO_MODEL.status


async def answer_request(
    state: ServiceState,
    request: Request,
    *,
    why: bool = False,
    asked: Consent = Consent.NONE,
    observer: Observer | None = None,
) -> tuple[ServedModel, Photographs, list[Answer]]:
    """Read a request, and answer its photographs unless the client goes away first.

    Args:
        state: The parts of the service.
        request: The request, whose body holds the photographs.
        why: Whether each answer is to say why.
        asked: What is known of consent where the request itself does not give it.
        observer: Is told of each photograph that has an answer, in the thread that made it.

    Returns:
        The model that answered all of them, the photographs, and their answers in the same order.

    Raises:
        ClientDisconnect: The client went away.
    """
    check_type(request)
    state.model()
    state.answering.check_room()
    body = Body(request, state.settings, state.memory)
    try:
        photographs = await take_apart(request, await body.read(), state.settings)
        consent = parse_consent([request.headers.get(CONSENT_HEADER, ""), *photographs.consent])
        consent = asked if consent is Consent.NONE else consent
        # Taken once: all photographs of a request are answered by this model, whatever serves a moment later.
        model = state.model()
        async with _until_departure(request):
            answers = await state.answering.answer(
                model, photographs.files, why=why, consent=consent, observer=observer
            )
            return model, photographs, answers
    finally:
        body.release()


@asynccontextmanager
async def _until_departure(request: Request) -> AsyncIterator[None]:
    """Give up what is awaited within once the client closes the connection, and raise ClientDisconnect."""
    work = cast("asyncio.Task[object]", asyncio.current_task())
    departure = asyncio.ensure_future(_wait_for_departure(request))
    departure.add_done_callback(lambda done: done.cancelled() or work.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if departure.cancelled() or not departure.done() or work.uncancel():
            raise
        raise ClientDisconnect from None
    finally:
        departure.cancel()


async def _wait_for_departure(request: Request) -> None:
    """Wait until the client closes the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _single(model: ServedModel, answer: Answer) -> Response:
    if answer.problem is None:
        return _json(answer.to_dict(), 200, model)
    plain = answer.problem.to_dict() | {"id": answer.id, "model": answer.model.to_dict()}
    return _json(plain, answer.problem.kind.status, model, PROBLEM_JSON)


def _as_mlflow(answer: Answer) -> dict[str, Any]:
    """Return an answer in the columns of the registered model."""
    problem = f"{answer.problem.reason}: {answer.problem.detail}" if answer.problem else ""
    return {
        "label": answer.label,
        "probability": answer.probability,
        "sure": answer.sure,
        "probabilities": answer.probabilities,
        "problem": problem,
    }


def _json(
    plain: dict[str, Any], status: int = 200, model: ServedModel | None = None, media_type: str = "application/json"
) -> Response:
    headers = {"X-Pedigree-Model": model.identity.short} if model else {}
    return Response(json.dumps(plain, ensure_ascii=False), status, headers, media_type)
