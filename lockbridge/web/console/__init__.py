"""The host console: one module for each part of the menu, each with a ``router`` whose paths begin at the host."""

from types import ModuleType

from fastapi import APIRouter

from lockbridge.web.console import (
    activity,
    home,
    imports,
    keypads,
    live,
    lock_apps,
    locks,
    matching,
    messages,
    properties,
    settings,
    sources,
    staff_codes,
    start,
    stays,
    tasks,
    today,
)

router = APIRouter()
router.include_router(home.router)

AT_HOST = "/console/{host}"
PARTS: tuple[ModuleType, ...] = (
    today,
    live,
    activity,
    stays,
    settings,
    keypads,
    lock_apps,
    locks,
    staff_codes,
    tasks,
    properties,
    matching,
    imports,
    sources,
    messages,
    start,
)
for part in PARTS:
    router.include_router(part.router, prefix=AT_HOST)
