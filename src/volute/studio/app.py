"""The application: its routes, its errors, its page."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect

import volute
from volute.errors import VoluteError
from volute.studio import (
    live,
    routes_create,
    routes_enlarge,
    routes_files,
    routes_jobs,
    routes_models,
    routes_results,
    routes_style,
    routes_system,
    routes_train,
    routes_write,
)
from volute.studio.bodies import ASKED
from volute.studio.context import Studio
from volute.studio.models import Problem
from volute.studio.problems import MEDIA_TYPE, TITLES, problem, problem_of
from volute.studio.safety import Safety
from volute.studio.settings import Settings

STATIC = Path(__file__).parent / "static"
PREFIX = "/api/v1"
ROUTES = (
    routes_system,
    routes_models,
    routes_files,
    routes_create,
    routes_style,
    live,
    routes_enlarge,
    routes_write,
    routes_train,
    routes_results,
    routes_jobs,
)
ERRORS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
ABOUT = "Make, restyle, enlarge, write, train and verify. Errors are `application/problem+json`."


def create(settings: Settings) -> FastAPI:
    """Return the application of a server.

    Raises:
        UsageError: if another server works in its folder.
        VoluteError: if the folder cannot be written.
    """
    studio = Studio(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        studio.hub.open()
        yield
        await asyncio.to_thread(studio.close)

    app = FastAPI(
        title="volute studio",
        version=volute.__version__,
        description=ABOUT,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation,
    )
    app.state.studio = studio
    for module in ROUTES:
        app.include_router(module.router, prefix=PREFIX, responses=ERRORS)
    app.get("/metrics", tags=["system"], response_class=Response)(routes_system.metrics)
    app.exception_handler(VoluteError)(_volute)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(ClientDisconnect)(_gone)
    app.exception_handler(Exception)(_volute)
    app.add_middleware(Safety, settings=settings, metrics=studio.metrics)
    if settings.page:
        mimetypes.add_type("text/javascript", ".js")
        app.mount("/", GZipMiddleware(_Page(directory=STATIC, html=True)), name="page")
    _describe(app)
    return app


class _Page(StaticFiles):
    """Files that a browser asks for again each time, so that a new version is seen at once."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        answer = super().file_response(*given, **named)
        answer.headers.update(ASKED)
        return answer


def _operation(route: APIRoute) -> str:
    """Return the name of an operation: that of its file, and of its function."""
    module = route.endpoint.__module__.rpartition(".")[2].removeprefix("routes_")
    return f"{module}_{route.name}"


def _describe(app: FastAPI) -> None:
    """Have the OpenAPI document know the schema of errors."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        told = plain()
        schemas = told.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        return told

    app.openapi = openapi  # type: ignore[method-assign]


def _answer(told: Problem) -> JSONResponse:
    return JSONResponse(told.model_dump(), told.status, media_type=MEDIA_TYPE)


async def _volute(request: Request, error: Exception) -> JSONResponse:
    told = problem_of(error)
    plain = request.app.state.studio.space.plain
    words = {"detail": plain(told.detail), "hint": plain(told.hint)}
    answer = _answer(told.model_copy(update=words))
    if told.status == 503:
        answer.headers["retry-after"] = "5"
    return answer


async def _gone(request: Request, error: Exception) -> JSONResponse:
    return _answer(problem(400, "the client went away"))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return _answer(problem(422, f"{where or 'the request'}: {first['msg']}", "See the OpenAPI."))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = TITLES.get(error.status_code, "Error")
    answer = _answer(problem(error.status_code, f"{title}: {request.url.path}"))
    answer.headers.update(error.headers or {})
    return answer
