"""The host console: one module for each part of the menu, each with a ``router`` whose paths begin at the host."""

from types import ModuleType

from fastapi import APIRouter

from lockbridge.web.console import home

router = APIRouter()
router.include_router(home.router)

AT_HOST = "/console/{host}"
PARTS: tuple[ModuleType, ...] = ()
for part in PARTS:
    router.include_router(part.router, prefix=AT_HOST)
