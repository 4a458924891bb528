"""Which e-mails about locks and codes the host wants. For owners."""

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.domain.messages import QUIET_IF_WISHED, HostAlarm, gravity
from lockbridge.storage import hosts
from lockbridge.web.desk import Owning
from lockbridge.workflows import host_settings

router = APIRouter()


@router.get("/alarms")
async def show(desk: Owning) -> Response:
    """The list, the gravest first."""
    ordered = sorted(HostAlarm, key=gravity)
    context = {
        "part": "settings",
        "always": [alarm for alarm in ordered if alarm not in QUIET_IF_WISHED],
        "optional": [alarm for alarm in ordered if alarm in QUIET_IF_WISHED],
        "off": await desk.services.database.ask(hosts.alarms_off, desk.host),
        "words": WORDS,
    }
    return desk.page("console/settings/alarms.html", context)


@router.post("/alarms")
async def change(desk: Owning) -> Response:
    """Choose."""
    await host_settings.set_alarms(desk.services, desk.host, desk.chosen("wanted"))
    await desk.note("chose which e-mails are wanted")
    return desk.go(f"{desk.base}/settings/alarms", "Saved.")


WORDS = {
    HostAlarm.GUEST_AT_DOOR: "A guest’s code does not work, and they ask for help",
    HostAlarm.PUSH_FAILED: "A code is not on its lock",
    HostAlarm.CODE_SET: "A code that failed is on its lock after all",
    HostAlarm.ARRIVALS_AT_RISK: "Guests arrive soon and something is wrong at their door",
    HostAlarm.LOCK_OFFLINE: "A lock is offline",
    HostAlarm.LOCK_ONLINE: "A lock is online again",
    HostAlarm.BATTERY_LOW: "A lock’s battery is low",
    HostAlarm.BATTERY_OK: "A lock’s battery was changed",
    HostAlarm.ACCOUNT_DISCONNECTED: "A lock app no longer lets us in",
    HostAlarm.ACCOUNT_CONNECTED: "A lock app lets us in again",
    HostAlarm.POOL_EMPTY: "A lock has no backup code left",
    HostAlarm.LOCK_FULL: "A lock has no room for more codes",
    HostAlarm.CODE_CHANGED_BY_HAND: "Somebody changed or deleted a code by hand",
    HostAlarm.CODE_STAYS_VALID: "A code that should be off the lock still opens it",
    HostAlarm.PIN_SPACE_EXHAUSTED: "No free PIN could be found",
    HostAlarm.PLAN_REFUSED: "Too many codes would have been removed at once",
    HostAlarm.MESSAGE_REFUSED: "A message could not be delivered to a guest",
    HostAlarm.FIELD_NOT_WRITTEN: "A booking platform does not keep the door code",
    HostAlarm.BAD_SIGNATURE: "A webhook had a wrong signature",
    HostAlarm.DELIVERY_DEAD: "A webhook could not be read",
    HostAlarm.KEYPAD_WORK: "Codes are to be programmed at a keypad",
    HostAlarm.SOURCE_DISCONNECTED: "A booking platform no longer lets us in",
    HostAlarm.SOURCE_CONNECTED: "A booking platform lets us in again",
    HostAlarm.SOURCE_UNREADABLE: "A calendar cannot be read",
    HostAlarm.SOURCE_READABLE: "A calendar can be read again",
    HostAlarm.WEBHOOKS_SILENT: "A booking platform sends no webhooks any more (it is asked instead)",
    HostAlarm.WEBHOOKS_HEARD: "A booking platform sends webhooks again",
    HostAlarm.PROPERTY_UNKNOWN: "A booking is for a property that is not known",
    HostAlarm.SOURCES_DISAGREE: "Two sources disagree about a stay (it keeps its code)",
    HostAlarm.STAY_MISSING: "A stay has disappeared from its calendar",
}
"""The alarms, in a few words each; one that is missing here is shown by its name."""
