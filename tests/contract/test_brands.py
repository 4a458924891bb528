"""Every brand's driver, on every kind of lock it has, through the one contract suite."""

import pytest

from providers import PROVIDERS
from tests.contract.suite import CHECKS, Check
from tests.contract.vendors import BRANDS

KINDS = [(key, kind) for key, brand in BRANDS.items() for kind in brand.rules]


@pytest.mark.parametrize(("brand", "kind"), KINDS, ids=str)
@pytest.mark.parametrize("check", CHECKS, ids=lambda made: made.__name__.removeprefix("check_"))
async def test_the_driver_keeps_the_contract(brand: str, kind: str, check: Check) -> None:
    harness = BRANDS[brand].examine(kind)
    if not CHECKS[check].open_to(harness):
        await harness.close()
        pytest.skip(f"{brand} {kind}: {CHECKS[check].needs}")
    await check(harness)
    await harness.close()


@pytest.mark.parametrize("brand", BRANDS)
def test_the_brand_is_one_that_hosts_can_connect(brand: str) -> None:
    assert PROVIDERS[brand] is BRANDS[brand].spec
