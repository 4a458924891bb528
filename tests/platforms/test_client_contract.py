"""The client contract: every platform's API, over real HTTP on loopback, keeps every promise the same way."""

from typing import NamedTuple

import pytest

from tests.contract.serving import ServedApp
from tests.platforms.checks import Check, Suite
from tests.platforms.client_checks import CLIENT
from tests.platforms.examined import examining
from tests.platforms.registry import VENDORS
from tests.platforms.stay_checks import STAYS, Telling
from tests.platforms.vendor import Vendor


class Case(NamedTuple):
    """One check of one platform's client."""

    vendor: Vendor
    check: Check

    def __str__(self) -> str:
        return f"{self.vendor.platform.key}-{self.check}"


def cases(suite: Suite) -> list[Case]:
    clouds = [vendor for vendor in VENDORS.values() if vendor.platform.connect is not None]
    return [Case(vendor, check) for vendor in clouds for check in suite if check.applies_to(vendor)]


def each(suite: Suite) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", cases(suite), ids=str)


@each(STAYS)
async def test_what_the_api_says_of_a_stay(served: ServedApp, case: Case):
    async with examining(case.vendor, served) as h:
        await case.check.examine(Telling(case.vendor, h.stays))


@each(CLIENT)
async def test_what_the_client_promises(served: ServedApp, case: Case):
    async with examining(case.vendor, served) as h:
        await case.check.examine(h)
