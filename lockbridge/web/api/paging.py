"""Pages: a cursor says after what the next one begins. Whatever is added meanwhile, each thing is found once."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lockbridge.web.api.keys import Caller, Calling
from lockbridge.web.api.problems import invalid

MOST = 200
USUAL = 50
LONGEST_CURSOR = 100
MARK_BYTES = 8

Row = TypeVar("Row")
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    items: list[Item]
    next: str | None = Field(None, description="The cursor of the next page; null: this is the last one.")


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is wanted: at most ``limit`` things after the one with the number ``after``."""

    after: int
    limit: int
    request: Request
    response: Response
    caller: Caller

    @property
    def wanted(self) -> int:
        """How many to ask for: one more than are shown, to know whether there is another page."""
        return self.limit + 1

    def cut(self, found: Sequence[Row], number: Callable[[Row], int]) -> tuple[Sequence[Row], str | None]:
        """What is shown of what was found, and the cursor of the next page; a header points there, too."""
        shown = found[: self.limit]
        if len(found) <= self.limit:
            return shown, None
        cursor = write_cursor(self.caller, self.request, number(shown[-1]))
        self.point_to(cursor)
        return shown, cursor

    def point_to(self, cursor: str) -> None:
        """Name the next page in a header (RFC 8288)."""
        where = self.request.url.include_query_params(cursor=cursor)
        self.response.headers["link"] = f'<{self.caller.site.url}{where.path}?{where.query}>; rel="next"'


def write_cursor(caller: Caller, request: Request, number: int) -> str:
    """A cursor of this list; only lockbridge can make one."""
    mark = _mark(caller, request, number)
    return urlsafe_b64encode(number.to_bytes(8, "big") + mark).decode().rstrip("=")


def read_cursor(caller: Caller, request: Request, cursor: str) -> int:
    """After which number a page begins. Raises Problem."""
    try:
        plain = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (Error, ValueError):
        plain = b""
    number = int.from_bytes(plain[:8], "big")
    if len(plain) != 8 + MARK_BYTES or not compare_digest(plain[8:], _mark(caller, request, number)):
        msg = "this is no cursor of this list: take the one that `next` of a page says, or none to begin"
        raise invalid(msg, parameter="cursor")
    return number


def _mark(caller: Caller, request: Request, number: int) -> bytes:
    name = f"{request.scope['route'].path} of {caller.host} after {number}"
    return caller.services.vault.index(name, "api cursor")[:MARK_BYTES]


def _paging(
    caller: Calling,
    request: Request,
    response: Response,
    cursor: Annotated[
        str | None,
        Query(
            description="Where the page begins: `next` of the page before. Without it, at the beginning.",
            max_length=LONGEST_CURSOR,
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST, description="How many things a page has at most.")] = USUAL,
) -> Paging:
    after = 0 if cursor is None else read_cursor(caller, request, cursor)
    return Paging(after, limit, request, response, caller)


Pages = Annotated[Paging, Depends(_paging)]
