"""Your webhook: where alarms are posted, signed as Standard Webhooks say."""

from typing import Annotated

from fastapi import Response
from pydantic import Field, StringConstraints

from lockbridge.domain.people import Scope
from lockbridge.storage import hosts
from lockbridge.web.api.calls import at, resource
from lockbridge.web.api.keys import Calling
from lockbridge.web.api.problems import Kind, Problem, invalid
from lockbridge.web.api.shapes import Sent, Shown
from lockbridge.workflows import host_mail

router = resource()
TAG = "Webhook"

Address = Annotated[str, StringConstraints(max_length=2000, pattern=r"^https://[!-~]+$")]


class WebhookSent(Sent):
    """Where to."""

    url: Address = Field(description="By https only.", examples=["https://example.com/hooks/lockbridge"])


class WebhookShown(Shown):
    """Where alarms are posted."""

    url: str = Field(examples=["https://example.com/hooks/lockbridge"])


class WebhookMade(WebhookShown):
    """Where alarms are posted from now on."""

    secret: str = Field(description="What each is signed with. It is shown this once.", examples=["whsec_…"])


def _none() -> Problem:
    return Problem(Kind.NOT_FOUND, "this host has no webhook")


@router.get("/webhook", tags=[TAG], summary="Show your webhook", **at(Scope.WEBHOOKS_WRITE))
async def show_webhook(caller: Calling) -> WebhookShown:
    """404 where there is none. Its secret is not shown again."""
    found = await caller.services.database.ask(hosts.hook_of, caller.services.vault, caller.host)
    if found is None:
        raise _none()
    return WebhookShown(url=found.url)


@router.put("/webhook", tags=[TAG], summary="Set your webhook", **at(Scope.WEBHOOKS_WRITE))
async def set_webhook(caller: Calling, sent: WebhookSent) -> WebhookMade:
    """Each time with a new secret, which holds at once."""
    try:
        secret = await host_mail.set_hook(caller.services, caller.host, sent.url)
    except ValueError as error:
        raise invalid(str(error), pointer="/url") from error
    await caller.note("set the webhook")
    return WebhookMade(url=sent.url, secret=secret or "")


@router.delete("/webhook", status_code=204, tags=[TAG], summary="Remove your webhook", **at(Scope.WEBHOOKS_WRITE))
async def remove_webhook(caller: Calling) -> Response:
    """Nothing is posted any more. 404 where there was none."""
    if not await caller.services.database.ask(hosts.has_hook, caller.host):
        raise _none()
    await host_mail.set_hook(caller.services, caller.host, None)
    await caller.note("removed the webhook")
    return Response(status_code=204)
