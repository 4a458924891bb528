"""Sifely's cloud, make-believe: TTLock's behind another front door."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.contract import SeenCode
from lockbridge.domain.ids import LockRef
from providers.ttlock import SIFELY
from tests.contract.brands import Brand
from tests.contract.vendors._sciener import CLIENT, PASSWORD, RULES, USER, Fields, Refusal, ScienerCloud, number


class SifelyCloud(ScienerCloud):
    """One account of Sifely. It lists keys instead of locks, tells nothing of gateways, and wraps single things."""

    lists_locks = "/v3/key/list"
    tells_gateways = False

    def sign_in_routes(self) -> list[Route]:
        return [Route("/system/smart/login", self._log_in, methods=["POST"])]

    async def _log_in(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self._check_date(asked)
        if asked != {"client_id": CLIENT, "username": USER, "password": PASSWORD, "date": asked["date"]}:
            return JSONResponse({"code": 500, "msg": "no"})
        return JSONResponse({"code": 200, "data": {"token": "token", "refreshToken": "refresh-1"}})

    def check_caller(self, request: Request, fields: Fields) -> None:
        if request.headers.get("authorization") not in self.tokens:
            raise Refusal(401)

    def refused(self, errcode: int) -> Response:
        return JSONResponse({"code": errcode, "msg": "no"})

    def wrapped(self, answer: dict[str, Any]) -> dict[str, Any]:
        return {"code": 200, "data": answer}

    def page(self, rows: list[dict[str, Any]], fields: Fields, most: int) -> dict[str, Any]:
        """A list says neither ``code`` nor how many pages there are."""
        whole = super().page(rows, fields, most)
        assert number(fields, "pageSize") <= 100
        return {"list": whole["list"]}

    def _row(self, ref: LockRef) -> dict[str, Any]:
        return {**super()._row(ref), "keyId": 22334, "userType": "110301", "keyStatus": "110401", "keyRight": 0}

    def code_row(self, lock: LockRef, code: SeenCode) -> dict[str, Any]:
        """Numbers are texts here and there."""
        row = super().code_row(lock, code)
        return {**row, "keyboardPwdType": str(row["keyboardPwdType"])}


BRAND = Brand(
    spec=SIFELY,
    rules=RULES,
    serve=lambda app: SifelyCloud(app).asgi(),
    settings=lambda url: {"client_id": CLIENT, "username": USER, "password": PASSWORD, "url": url},
)
