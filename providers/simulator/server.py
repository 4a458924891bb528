"""The simulated lock app as an HTTP server.

Every call carries ``Authorization: Bearer <account's token>`` (the account ``main`` has the token ``simulator``).

=======  ===========================  ==========================================  =====================================
method   path                         body                                        answer
=======  ===========================  ==========================================  =====================================
GET      /locks                                                                   {"locks": [{ref, name, rules,
                                                                                  max_codes, zone, online, battery}]}
GET      /locks/{lock}                                                            {online, battery}
GET      /locks/{lock}/codes                                                      {"codes": [{ref, pin, name, starts,
                                                                                  ends, state, trouble}]}
POST     /locks/{lock}/codes          {pin, name, starts, ends}                   201 {status, ref, pin, starts, ends}
PUT      /locks/{lock}/codes/{code}   {pin, name, starts, ends}                   {status, ref, pin, starts, ends}
DELETE   /locks/{lock}/codes/{code}                                               {status}
POST     /locks/{lock}/open                                                       {status}
GET      /locks/{lock}/log            ?since=…&limit=…                            {"events": [{at, what, by}]}
POST     /locks/{lock}/try            {pin, at?}                                  {"opens": true or false}
=======  ===========================  ==========================================  =====================================

PINs are strings; instants are ISO 8601 with a zone; ``starts`` and ``ends`` are null for a standing code. ``status``
is ``done``, ``accepted`` or ``already``. A refusal is ``{"error": word}`` with 401 ``account_refused``,
404 ``lock_not_found`` or ``code_gone``, 409 ``pin_taken``, ``pin_refused``, ``name_taken``, ``name_refused``,
``window_refused``, ``lock_offline``, ``lock_full`` or ``rejected``, 400 ``bad_request``; 429 has a Retry-After in
seconds. Under a fault the server answers 503 before doing anything, 500 after it was done, or closes the connection in
the middle of its answer. What people and fate do to the locks is under ``/control`` (see ``control.py``).
"""

from datetime import datetime, timedelta
from math import ceil

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from lockbridge.contract import OutcomeUnknown, ProviderError, RateLimited, Unreachable
from lockbridge.domain.ids import CodeRef, LockRef
from providers.simulator import wire
from providers.simulator.app import SimulatedLockApp
from providers.simulator.control import control_routes
from providers.simulator.faults import LostAnswer, LostRead
from providers.simulator.web import BadRequest, answer, bad_request, read

_BEARER = "Bearer "


class _Dropped(Response):
    """An answer that breaks off: the server closes the connection before the body it announced."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})


class _Api:
    """The routes a driver uses."""

    def __init__(self, app: SimulatedLockApp) -> None:
        self._app = app

    def routes(self) -> list[BaseRoute]:
        codes, code = "/locks/{lock}/codes", "/locks/{lock}/codes/{code}"
        return [
            Route(codes, self.set_code, methods=["POST"]),
            Route(codes, self.list_codes, methods=["GET"]),
            Route(code, self.update_code, methods=["PUT"]),
            Route(code, self.remove_code, methods=["DELETE"]),
            Route("/locks/{lock}", self.check_lock, methods=["GET"]),
            Route("/locks", self.list_locks, methods=["GET"]),
            Route("/locks/{lock}/try", self.try_door, methods=["POST"]),
            Route("/locks/{lock}/log", self.activity, methods=["GET"]),
            Route("/locks/{lock}/open", self.open_door, methods=["POST"]),
        ]

    def _account(self, request: Request) -> str:
        shown = request.headers.get("authorization", "")
        return self._app.account_of(shown.removeprefix(_BEARER) if shown.startswith(_BEARER) else "").key

    async def list_locks(self, request: Request) -> Response:
        locks = self._app.list_locks(self._account(request))
        return answer({"locks": [wire.lock_out(lock, self._app.rules_of(lock.ref).key) for lock in locks]})

    async def list_codes(self, request: Request) -> Response:
        codes = self._app.list_codes(self._account(request), _lock(request))
        return answer({"codes": [wire.code_out(code) for code in codes]})

    async def check_lock(self, request: Request) -> Response:
        return answer(wire.status_out(self._app.check_lock(self._account(request), _lock(request))))

    async def set_code(self, request: Request) -> Response:
        account, spec = self._account(request), await read(request, wire.spec_in)
        return answer(wire.written_out(self._app.set_code(account, _lock(request), spec)), 201)

    async def update_code(self, request: Request) -> Response:
        account, spec = self._account(request), await read(request, wire.spec_in)
        return answer(wire.written_out(self._app.update_code(account, _lock(request), _code(request), spec)))

    async def remove_code(self, request: Request) -> Response:
        receipt = self._app.remove_code(self._account(request), _lock(request), _code(request))
        return answer({"status": receipt.value})

    async def open_door(self, request: Request) -> Response:
        return answer({"status": self._app.open_door(self._account(request), _lock(request)).value})

    async def activity(self, request: Request) -> Response:
        since, limit = _reach(request)
        events = self._app.activity(self._account(request), _lock(request), since, limit)
        return answer({"events": [wire.event_out(event) for event in events]})

    async def try_door(self, request: Request) -> Response:
        account, (pin, at) = self._account(request), await read(request, wire.try_in)
        return answer({"opens": self._app.try_door(account, _lock(request), pin, at or self._app.now())})


def _lock(request: Request) -> LockRef:
    return LockRef(request.path_params["lock"])


def _reach(request: Request) -> tuple[datetime, int]:
    """Since when a log is asked for, and how much of it. Raises BadRequest."""
    try:
        return wire.instant_in(request.query_params["since"]), int(request.query_params["limit"])
    except (LookupError, ValueError):
        msg = "since and limit are wanted"
        raise BadRequest(msg) from None


def _code(request: Request) -> CodeRef:
    return CodeRef(request.path_params["code"])


async def _refused(request: Request, error: Exception) -> Response:
    """The answer for everything a verb raises."""
    del request
    if isinstance(error, LostAnswer | LostRead):
        return _Dropped()
    if isinstance(error, RateLimited):
        return answer({"error": "rate_limited"}, 429, {"retry-after": str(_seconds(error.retry_after))})
    if isinstance(error, Unreachable):
        return answer({"error": "out_of_order"}, 503)
    if isinstance(error, OutcomeUnknown) or not isinstance(error, ProviderError):
        return answer({"error": "failed"}, 500)
    word = error.kind.value
    return answer({"error": word}, wire.ERRORS[word][0])


def _seconds(pause: timedelta | None) -> int:
    return ceil(pause.total_seconds()) if pause else 1


def simulator_asgi(app: SimulatedLockApp, *, control_token: str = "control") -> Starlette:  # noqa: S107 - a toy's key
    """The simulated lock app as an ASGI application; ``control_token`` opens ``/control``.

    A fault that drops the connection shows in uvicorn's log as an answer not completed: serve with
    ``log_level="critical"``.
    """
    routes = [*_Api(app).routes(), *control_routes(app, control_token)]
    return Starlette(routes=routes, exception_handlers={ProviderError: _refused, BadRequest: bad_request})
