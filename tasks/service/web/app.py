"""The app of the service: its addresses behind its front."""

import json
from collections.abc import Mapping
from http import HTTPMethod
from importlib import metadata
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tasks.domain.serving.problems import PROBLEM_JSON, ProblemKind, ServiceProblem, ServiceProblemError
from tasks.service.web.access import OPEN
from tasks.service.web.description import openapi, schemas
from tasks.service.web.front import App, Endpoint, Front, problem_headers
from tasks.service.web.page.page import build_page_routes
from tasks.service.web.routes import build_routes
from tasks.service.web.state import ServiceState

_KINDS: Mapping[int, ProblemKind] = {404: ProblemKind.NOT_FOUND, 405: ProblemKind.WRONG_METHOD}
# Addresses that nothing of the framework is needed for; it describes them.
_DIRECT = {"/v1/predict", "/invocations"}
_DESCRIPTION = "Photographs in, classes out, by the model that serves now; each answer says which model that was."


def build_app(state: ServiceState) -> App:
    """Build the app.

    Args:
        state: The parts of the service.

    Returns:
        An ASGI app.
    """
    # Pages that try an API out would load scripts from elsewhere: there are none.
    app = FastAPI(
        title="Pedigree",
        version=metadata.version("pedigree"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    routes = build_routes(state)
    app.include_router(routes)
    app.include_router(build_page_routes(state))
    app.add_exception_handler(ServiceProblemError, _tell_problem)
    app.add_exception_handler(HTTPException, _tell_status)
    app.add_exception_handler(Exception, _tell_failure)
    app.openapi = lambda: _describe(app, state)  # type: ignore[method-assign]
    return Front(app, _find_direct(routes), state.access, state.metrics, lambda: state.draining)


def _find_direct(routes: APIRouter) -> dict[tuple[str, str], Endpoint]:
    """Return what answers photographs, by method and path."""
    return {
        ("POST", route.path): route.endpoint
        for route in routes.routes
        if isinstance(route, APIRoute) and route.path in _DIRECT
    }


def _describe(app: FastAPI, state: ServiceState) -> dict[str, Any]:
    """Describe the API, with the bounds of this service, and with the key where one is asked for."""
    plain = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    for path in plain["paths"].values():
        schemas.bound_lists(path.get("post", {}).get("requestBody", {}), state.settings.max_files)
    answered = plain["paths"]["/v1/predict"]["post"]["responses"]["200"]["content"]
    answered["application/json"]["examples"] = openapi.EXAMPLES
    if state.access.has_keys:
        schemes = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        plain.setdefault("components", {})["securitySchemes"] = schemes
        plain["security"] = [{"bearer": []}, {"key": []}]
        for address in OPEN:
            plain["paths"][address]["get"]["security"] = []
    return plain


async def _tell_problem(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ServiceProblemError):
        raise error
    return _respond(error.problem)


async def _tell_status(request: Request, error: Exception) -> Response:
    """Tell what the framework refuses, such as an address that does not exist, as a problem too."""
    if not isinstance(error, HTTPException):
        raise error
    kind = _KINDS.get(error.status_code, ProblemKind.MALFORMED)
    response = _respond(
        ServiceProblem(kind, f"{_name(request.method)} is not answered here: /openapi.json lists what is.")
    )
    response.headers.update(error.headers or {})
    if "GET" in response.headers.get("Allow", "").split(", "):
        response.headers["Allow"] += ", HEAD"
    return response


def _name(method: str) -> str:
    """Return the name of a method that is one; what a client sent in its place is not repeated."""
    return method if method in HTTPMethod.__members__ else "This method"


async def _tell_failure(_request: Request, _error: Exception) -> Response:
    return _respond(ServiceProblem(ProblemKind.FAILED, "The service's log says what went wrong."))


def _respond(problem: ServiceProblem) -> Response:
    body = json.dumps(problem.to_dict(), ensure_ascii=False)
    return Response(body, problem.kind.status, problem_headers(problem), PROBLEM_JSON)
