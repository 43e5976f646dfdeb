"""Explanations over HTTP: who asks why, and the training photographs that an explanation names."""

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tasks.domain.serving.problems import ProblemKind, ServiceProblemError
from tasks.service.explaining import TRAINING_ADDRESS
from tasks.service.web.description import openapi
from tasks.service.web.state import ServiceState

# The longest side of a training photograph as it is shown, in pixels.
_SIDE = 320
_WORDS = {"": False, "0": False, "1": True}


def asks_why(request: Request) -> bool:
    """Return whether a request asks why; raise ServiceProblemError where it says neither yes nor no."""
    word = request.query_params.get("why", "")
    if word not in _WORDS:
        raise ServiceProblemError(ProblemKind.MALFORMED, "why is neither 0 nor 1.")
    return _WORDS[word]


def add_training_photographs(router: APIRouter, state: ServiceState) -> None:
    """Add the address that shows training photographs.

    Args:
        router: The routes.
        state: The parts of the service.
    """

    @router.get(f"{TRAINING_ADDRESS}{{image}}", **openapi.TRAINING)
    async def training(image: str) -> Response:
        if not state.explainer.shows(image):
            raise ServiceProblemError(ProblemKind.NOT_FOUND, "No training photograph of this name is shown.")
        return Response(await asyncio.to_thread(_shrunk, state, image), media_type="image/jpeg")


def _shrunk(state: ServiceState, image: str) -> bytes:
    """Read a training photograph and shrink it; it was decoded in a sandbox when it came into the store."""
    from tasks.reports.pages.template import shrink_picture

    small = shrink_picture(state.explainer.source.photograph(image), _SIDE)
    if small is None:
        raise ServiceProblemError(ProblemKind.NOT_FOUND, "The training photograph cannot be decoded any more.")
    return small
