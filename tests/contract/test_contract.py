"""Every driver, on every kind of lock, through the one contract suite."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from lockbridge.outbound import client
from providers.simulator import RULE_SETS, simulator_asgi
from tests.contract.harness import HttpHarness, SimulatorHarness
from tests.contract.serving import ServedApp, serving
from tests.contract.suite import CHECKS, Check, checks_for


class Case(NamedTuple):
    """One check on one kind of lock."""

    rules: str
    check: Check

    def __str__(self) -> str:
        return f"{self.rules}-{self.check.__name__.removeprefix('check_')}"


def cases(kind: type[SimulatorHarness], *rules: str) -> list[Case]:
    return [Case(key, made) for key in rules or RULE_SETS for made in checks_for(kind(key))]


def each(kind: type[SimulatorHarness], *rules: str):
    return pytest.mark.parametrize("case", cases(kind, *rules), ids=str)


@each(SimulatorHarness)
async def test_the_simulator_in_process_keeps_the_contract(case: Case) -> None:
    await case.check(SimulatorHarness(case.rules))


@each(HttpHarness)
async def test_the_simulator_over_http_keeps_the_contract(case: Case) -> None:
    harness = HttpHarness(case.rules)
    await case.check(harness)
    await harness.close()


@pytest.fixture(scope="module")
def served() -> Iterator[ServedApp]:
    with serving() as app:
        yield app


@each(HttpHarness, "standard", "nuki", "algorithmic", "slots")
async def test_the_simulator_behind_a_real_socket_keeps_the_contract(served: ServedApp, case: Case) -> None:
    async with client() as http:
        harness = HttpHarness(case.rules, http._transport, served.url)
        served.asgi = simulator_asgi(harness.app)
        await case.check(harness)


def test_every_check_of_the_suite_is_asked_of_some_lock() -> None:
    asked = {case.check for case in cases(HttpHarness)}
    assert asked == set(CHECKS)
