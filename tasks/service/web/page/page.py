"""The page for people: a form that works without script, answered by the same page with what the model says."""

import base64
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.problems import ProblemKind, ServiceProblem, ServiceProblemError
from tasks.reports.pages.template import open_templates, read_style
from tasks.service.collecting.collector import HOLD_SECONDS
from tasks.service.models.served_model import Observation
from tasks.service.web.bodies import Body
from tasks.service.web.front import problem_headers
from tasks.service.web.page.page_feedback import read_form, thank
from tasks.service.web.page.page_links import choose_links
from tasks.service.web.page.page_text import (
    ShownAnswer,
    describe_answers,
    describe_model,
    describe_problem,
    name_model,
    show_answer,
)
from tasks.service.web.routes import answer_request
from tasks.service.web.state import ServiceState

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# Where there is no script the photograph comes back inside of the page.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; form-action 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


# A browser sends a chosen file again, and forgets it with the page that a plain form leads to.
_KEPT, _LOST = "your photograph is still chosen.", "choose your photograph anew."


@dataclass(frozen=True)
class _Content:
    """What one page says beside its form and the model.

    Attributes:
        shown: The answers.
        problem: Why there is none; None where nothing is wrong.
        again: What to do with the photograph where the problem may pass.
        thanks: What is said after feedback.
        status: The HTTP status where nothing is wrong.
    """

    shown: Sequence[ShownAnswer] = ()
    problem: ServiceProblem | None = None
    again: str = ""
    thanks: str = ""
    status: int = 200


class _File(NamedTuple):
    data: bytes
    kind: str
    address: str


def build_page_routes(state: ServiceState) -> APIRouter:
    """Build the routes of the page.

    Args:
        state: The parts of the service.

    Returns:
        The routes.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def show(request: Request) -> Response:
        return _render(state, request, _Content())

    @router.post("/")
    async def ask(request: Request) -> Response:
        pictures: dict[str, str] = {}

        def draw(seen: Observation) -> None:
            pictures[seen.answer] = _picture(seen.square)

        # A script shows the file that it has sent.
        observer = None if "x-requested-with" in request.headers else draw
        try:
            model, _, answers = await answer_request(
                state, request, why=True, asked=state.feedback.collector.consent, observer=observer
            )
        except ServiceProblemError as error:
            return _render(state, request, _Content(problem=error.problem, again=_KEPT if observer is None else _LOST))
        shown = [show_answer(answer, pictures.get(answer.id, "")) for answer in answers]
        usable = any(answer.problem is None for answer in answers)
        content = _Content(shown, status=200 if usable else ProblemKind.UNUSABLE.status)
        return _render(state, request, content, model.identity)

    @router.get("/static/{name}")
    async def read_static(name: str) -> Response:
        file = _static().get(name)
        if file is None:
            raise ServiceProblemError(ProblemKind.NOT_FOUND, "The page has no such file.")
        # Its address changes with its content.
        return Response(file.data, media_type=file.kind, headers={"Cache-Control": "public, max-age=604800"})

    _add_feedback(router, state)
    return router


def _add_feedback(router: APIRouter, state: ServiceState) -> None:
    """Add the address of the form that says whether an answer is right."""

    @router.post("/feedback")
    async def hear(request: Request) -> Response:
        body = Body(request, state.settings, state.memory)
        try:
            name, feedback = read_form(await body.read())
            judged = state.feedback.take(name, feedback)
        except ServiceProblemError as error:
            return _render(state, request, _Content(problem=error.problem))
        finally:
            body.release()
        return _render(state, request, _Content(thanks=thank(judged.label, feedback)))


def _present(state: ServiceState) -> ModelIdentity | None:
    return state.follower.model.identity if state.follower.model else None


def _render(
    state: ServiceState, request: Request, content: _Content, answered_by: ModelIdentity | None = None
) -> Response:
    problem, thanks = content.problem, content.thanks
    sentence = describe_problem(problem, content.again) if problem else thanks or describe_answers(content.shown)
    settings, model = state.settings, answered_by or _present(state)
    pages = state.pages.pages_of(model) if model else {}
    page = open_templates(_HERE / "templates").get_template("page.html.j2")
    text = page.render(
        title=f"{sentence or 'What does this photograph show?'} | {name_model(model) if model else 'Pedigree'}",
        model_name=name_model(model) if model else "",
        sentence=sentence,
        kind="problem" if problem else "thanks" if thanks else "heard",
        shown=content.shown,
        facts=describe_model(model) if model else [],
        links=choose_links(pages, request, has_keys=state.access.has_keys),
        too_large=describe_problem(
            ServiceProblem(ProblemKind.TOO_LARGE, f"A request has at most {settings.max_megabytes} megabytes.")
        ),
        keeps=state.feedback.collector.inbox is not None,
        hold_minutes=round(HOLD_SECONDS / 60),
        max_megabytes=settings.max_megabytes,
        max_files=settings.max_files,
        static=lambda name: _static()[name].address,
    )
    headers = {"Content-Security-Policy": _POLICY} | (problem_headers(problem) if problem else {})
    return HTMLResponse(text, problem.kind.status if problem else content.status, headers)


@cache
def _static() -> Mapping[str, _File]:
    """Read the files that the page loads, by name."""
    files = {path.name: path.read_bytes() for path in (_HERE / "static").iterdir()} | {"style.css": read_style()}
    return {name: _File(data, _TYPES[Path(name).suffix], _address(name, data)) for name, data in files.items()}


def _address(name: str, data: bytes) -> str:
    return f"/static/{name}?v={hashlib.sha256(data).hexdigest()[:12]}"


def _picture(square: NDArray[np.uint8]) -> str:
    """Draw a photograph as the model sees it; the decoding processes have read the file, not this one."""
    sink = io.BytesIO()
    Image.fromarray(square).save(sink, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(sink.getvalue()).decode()}"
