"""The simulated lock app: part of the product, for demonstrations, simulations and tests.

:class:`SimulatedLockApp` is the world (locks, codes, doors, faults, people with the vendor's app);
:class:`InProcessSimulator` and :class:`HttpSimulator` are two drivers for it; :func:`simulator_asgi`
serves it over HTTP.
"""

from providers.simulator.app import SimulatedLockApp
from providers.simulator.client import PROVIDER, HttpSimulator
from providers.simulator.driver import InProcessSimulator, in_process
from providers.simulator.faults import WRITES, Fault, Faults, Verb
from providers.simulator.rules import RULE_SETS, RuleSet
from providers.simulator.server import simulator_asgi
from providers.simulator.world import MAIN, Entry, HeldCode

__all__ = [
    "MAIN",
    "PROVIDER",
    "RULE_SETS",
    "WRITES",
    "Entry",
    "Fault",
    "Faults",
    "HeldCode",
    "HttpSimulator",
    "InProcessSimulator",
    "RuleSet",
    "SimulatedLockApp",
    "Verb",
    "in_process",
    "simulator_asgi",
]
