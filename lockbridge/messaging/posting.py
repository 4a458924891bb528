"""Webhooks to somebody else's system, signed and delivered as Standard Webhooks say (https://www.standardwebhooks.com).

What an answer means: 2xx is success; 410 says that the endpoint is closed, which is final; everything else – other 4xx,
5xx, a redirect, which is never followed – is tried again later, because what a receiver refuses today is as often its
own mishap as the message's fault. How often is up to the sender's outbox. Retry-After is honoured on 429, 502, 503
and 504.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Protocol

import orjson

from lockbridge.contract import AccountRefused, OutcomeUnknown, Unreachable
from lockbridge.fetching import Fetched
from lockbridge.messaging.channel import ChannelNotSetUp, Posting, SendError, SendLater, SendRefused, SendUnknown
from lockbridge.outbound import retry_after
from lockbridge.signatures import sign_standard_webhook

MOST_BYTES = 20_000
"""A payload is smaller than this, as the specification recommends."""
SUCCESS = range(200, 300)
THROTTLED = frozenset({429, 502, 503, 504})
"""The statuses whose Retry-After is honoured."""


class Post(Protocol):
    """A POST to an address that somebody typed in: guarded against private addresses, redirects and time."""

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        """Post it once. Raises AccountRefused, Unreachable, OutcomeUnknown; no message holds the address."""
        ...


@dataclass(frozen=True, slots=True)
class SignedPostings:
    """Webhooks signed anew on every attempt, with the attempt's date and the message's unchanging id."""

    post: Post

    async def send(self, posting: Posting) -> None:
        """Deliver it; returning means it was answered with success. Raises SendError."""
        body = _body(posting)
        try:
            answer = await self.post(posting.url, _headers(posting, body), body)
        except AccountRefused:
            msg = "the webhook's address must begin with https:// and hold no user name, password or odd port"
            raise ChannelNotSetUp(msg) from None
        except Unreachable as error:
            msg = f"the webhook's address cannot be reached: {error}"
            raise SendLater(msg) from None
        except OutcomeUnknown as error:
            msg = f"the webhook may have been delivered: {error}"
            raise SendUnknown(msg) from None
        if answer.status not in SUCCESS:
            raise _failure(answer, posting)


def _body(posting: Posting) -> bytes:
    try:
        body = orjson.dumps(posting.payload)
    except orjson.JSONEncodeError:
        msg = "the webhook's payload cannot be written as JSON"
        raise SendRefused(msg) from None
    if len(body) >= MOST_BYTES:
        msg = f"the webhook's payload has {len(body):,} bytes; it must have fewer than {MOST_BYTES:,}"
        raise SendRefused(msg)
    return body


def _headers(posting: Posting, body: bytes) -> dict[str, str]:
    try:
        signed = sign_standard_webhook(posting.secret, posting.key, posting.date, body)
    except ValueError as error:
        msg = f"the webhook cannot be signed: {error}"
        raise ChannelNotSetUp(msg) from None
    return {"content-type": "application/json", **signed}


def _failure(answer: Fetched, posting: Posting) -> SendError:
    if answer.status == HTTPStatus.GONE:
        return SendRefused("the webhook's receiver has closed this address (410)")
    return SendLater(f"the webhook's receiver answered {answer.status}", _pause(answer, posting))


def _pause(answer: Fetched, posting: Posting) -> timedelta | None:
    """How long the receiver asks to be left alone; None: it does not say, and the outbox decides."""
    asked = answer.headers.get("retry-after") if answer.status in THROTTLED else None
    return retry_after(asked, posting.date) if asked else None
