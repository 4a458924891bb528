"""How checks are entered into the suite, and to which platforms each applies: by what they declare, never by name."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lockbridge.platforms.contract import Platform
from tests.platforms.vendor import Declared, Vendor


@dataclass(frozen=True)
class Check:
    """One promise; ``examine`` raises AssertionError where it is broken."""

    examine: Callable[[Any], Awaitable[None]]
    needs: frozenset[str]

    def __str__(self) -> str:
        return self.examine.__name__.removeprefix("check_")

    def applies_to(self, vendor: Vendor) -> bool:
        return self.needs <= abilities(vendor)


class Suite(list[Check]):
    """Checks in the order in which they are written down."""

    def check(self, *needs: str) -> Callable[[Callable[[Any], Awaitable[None]]], Callable[[Any], Awaitable[None]]]:
        """Enter a check; ``needs`` are the abilities without which it does not apply."""

        def enter(examine: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
            self.append(Check(examine, frozenset(needs)))
            return examine

        return enter

    def of(self, examine: Callable[[Any], Awaitable[None]]) -> Check:
        """The entry of a check."""
        (entry,) = (each for each in self if each.examine is examine)
        return entry


def abilities(vendor: Vendor) -> frozenset[str]:
    """What a platform can do and tell, in the suite's words: ``says``, and what its description promises."""
    platform: Platform = vendor.platform
    return vendor.says | {
        "codes" if platform.writes_codes else "no codes",
        "messages" if platform.sends_messages else "no messages",
        "lists changes" if Declared.by(vendor).lists_changes else "lists no changes",
        "webhooks that tell" if platform.hook and not vendor.hints_only else "hints at most",
        "no rooms" if "rooms" not in vendor.says else "rooms",
    }
