"""Every screen, as somebody sees it: on a phone and at a desk, in the light and in the dark, without a barrier."""

from dataclasses import dataclass

import pytest

from lockbridge.domain.people import Role
from tests.browser.conftest import DESKTOP, PHONE, Window
from tests.browser.season import busy

SCREENS = {
    "today": "",
    "stays": "/stays",
    "stay": "/stays/1",
    "properties": "/properties",
    "property": "/properties/1",
    "property-new": "/properties/new",
    "matching": "/matching",
    "import": "/import",
    "locks": "/locks",
    "lock": "/locks/1",
    "lock-resync-preview": "/locks/1/preview",
    "lock-apps": "/lock-apps",
    "lock-app": "/lock-apps/1",
    "lock-app-connect": "/lock-apps/connect",
    "lock-app-form": "/lock-apps/connect/nuki",
    "keypads": "/keypads",
    "staff": "/staff",
    "staff-new": "/staff/new",
    "sources": "/sources",
    "sources-new": "/sources/new",
    "source-form": "/sources/new/hostaway",
    "webhook-address": "/sources/addresses/1",
    "inbox": "/inbox",
    "messages": "/messages",
    "message-rules": "/messages/rules",
    "message-rule": "/messages/rules/edit/access-code",
    "message-texts": "/messages/texts",
    "message-text": "/messages/texts/access_code/en",
    "activity": "/activity",
    "start": "/start",
    "settings": "/settings",
    "settings-host": "/settings/host",
    "settings-members": "/settings/members",
    "settings-keys": "/settings/keys",
    "settings-webhooks": "/settings/webhooks",
    "settings-alarms": "/settings/alarms",
    "settings-codes": "/settings/codes",
    "settings-guest-page": "/settings/guest-page",
    "settings-demo": "/settings/demo",
}
"""Every page of the console that one can look at, under its name in docs/screenshots/."""
ELSEWHERE = {"account": "/account", "api": "/api/v1/docs"}
SHARDS = 4
BOTH_KINDS = {"today", "stay", "lock", "matching", "message-text"}
"""Screens of which all four pictures are kept; of the others the phone in the light and the desk in the dark."""


@dataclass(frozen=True)
class Look:
    """How a screen is looked at."""

    name: str
    size: tuple[int, int]
    dark: bool


LOOKS = (
    Look("phone", PHONE, dark=False),
    Look("phone-dark", PHONE, dark=True),
    Look("desktop-dark", DESKTOP, dark=True),
    Look("desktop", DESKTOP, dark=False),
)


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_every_screen_is_for_everybody(office, shard):
    at = await busy(office)
    window = await at.window(Role.OWNER)
    screens = list(({name: at.base + path for name, path in SCREENS.items()} | ELSEWHERE).items())
    for name, path in screens[shard::SHARDS]:
        answer = await window.page.goto(at.url + path)
        assert answer.status == 200, (name, answer.status)
        for look in LOOKS:
            await _look(window, name, look)


async def _look(window: Window, name: str, look: Look) -> None:
    await window.page.set_viewport_size({"width": look.size[0], "height": look.size[1]})
    await window.page.emulate_media(color_scheme="dark" if look.dark else "light")
    keep = name in BOTH_KINDS or look.name in {"phone", "desktop-dark"}
    await window.look(f"{name}-{look.name}", picture=keep)
