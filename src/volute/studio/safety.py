"""What every request passes first: host, origin, token, rate, size. For WebSockets too.

A page elsewhere can make a browser send requests here, and by DNS rebinding even under its own
name: so the name in `Host` must be one of this computer's, and `Origin`, where there is one, the
server's own.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections import OrderedDict
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from volute.studio.metrics import Metrics
from volute.studio.problems import MEDIA_TYPE, problem
from volute.studio.settings import LOOPBACK, Limits, Settings

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}
PREFIX = "/api/v1"
READ_S = 60.0
"""Seconds in which the body of a request must have come."""
CLIENTS = 4096
"""Addresses whose rate is remembered."""
OPEN = ("/api/v1/health",)
"""Needs no token."""


class Safety:
    """Refuses what may not be; counts the rest."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._rates = Rates(settings.limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or refuse."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return
        await self._answer(scope, headers, receive, send, refusal)

    async def _answer(
        self,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        send: Send,
        refusal: Response | None,
    ) -> None:
        began, status = time.perf_counter(), 500

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            if refusal is None and not _is_upload(scope):
                receive = await self._whole(headers, receive)
            await (refusal or self._app)(scope, receive, told)
        except _TooLargeError:
            await _refused(413, "the request is too large", "")(scope, receive, told)
        except TimeoutError:
            await _refused(400, "the request did not come in time", "")(scope, receive, told)
        finally:
            spent = time.perf_counter() - began
            self._metrics.request(scope["method"], _route(scope), status, spent)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Return why a request may not be served, or None."""
        host = headers.get("host", "")
        if self._settings.loopback and _name(host) not in LOOPBACK:
            return _refused(403, "this server is for this computer alone", "Use 127.0.0.1.")
        if not _same(headers.get("origin"), host):
            return _refused(403, "the request comes from a page elsewhere", "")
        page = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        if headers.get("sec-fetch-site") == "cross-site" and not page:
            return _refused(403, "the request comes from a page elsewhere", "")
        if not self._known(scope, headers):
            refusal = _refused(401, "a token is needed", "Send: Authorization: Bearer TOKEN")
            refusal.headers["www-authenticate"] = "Bearer"
            return refusal
        wait = self._rates.wait((scope.get("client") or ("", 0))[0])
        if wait:
            refusal = _refused(429, "too many requests", f"Try again in {wait} s.")
            refusal.headers["retry-after"] = str(wait)
            return refusal
        return None

    def _known(self, scope: Scope, headers: Headers) -> bool:
        token = self._settings.token
        if not token or (scope["type"] == "http" and scope["path"] in OPEN):
            return True
        given = headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())

    async def _whole(self, headers: Headers, receive: Receive) -> Receive:
        """Return what gives the body again that was read: no more of it than is allowed.

        Raises:
            _TooLargeError: if it is larger.
            TimeoutError: if it does not come.
        """
        most = self._settings.limits.body
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            raise _TooLargeError
        messages: list[Message] = []
        size, more = 0, length not in ("", "0") or "transfer-encoding" in headers
        async with asyncio.timeout(READ_S):
            while more:
                message = await receive()
                messages.append(message)
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
                if size > most:
                    raise _TooLargeError

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        return again


class Rates:
    """A bucket of requests for each client: it fills at a rate, and each request takes one."""

    def __init__(self, limits: Limits) -> None:
        self._rate, self._burst = limits.rate, limits.burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> int:
        """Count a request; return the seconds to wait if it is one too many, else 0."""
        if not self._rate:
            return 0
        now = time.monotonic()
        left, then = self._buckets.pop(client, (float(self._burst), now))
        left = min(self._burst, left + (now - then) * self._rate)
        self._buckets[client] = (left - 1 if left >= 1 else left, now)
        while len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if left >= 1 else max(1, round((1 - left) / self._rate))


class _TooLargeError(Exception):
    """The body of a request is larger than allowed."""


def _route(scope: Scope) -> str:
    """Return the template of the path, such as `/api/v1/jobs/{ident}`."""
    route: str = getattr(scope.get("route"), "path", "other")
    inner = scope["path"].startswith(PREFIX) and not route.startswith(PREFIX)
    return f"{PREFIX}{route}" if inner and route != "other" else route


def _refused(status: int, what: str, hint: str) -> Response:
    told = problem(status, what, hint)
    return Response(told.model_dump_json(), status, media_type=MEDIA_TYPE)


def _is_upload(scope: Scope) -> bool:
    """Tell whether the body is a file, which is counted where it is written."""
    path = scope["path"]
    of_data = path.startswith("/api/v1/datasets/") and path.endswith("/files")
    return scope["method"] == "POST" and (path in ("/api/v1/files", "/api/v1/styles") or of_data)


def _name(host: str) -> str:
    """Return the name or address in a `Host` header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same(origin: str | None, host: str) -> bool:
    """Tell whether a page of an origin is the server's own; no page is fine."""
    return origin is None or origin in (f"http://{host}", f"https://{host}")
