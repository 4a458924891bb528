"""What a host may decide about codes: the product's defaults, the host's, the property's – the nearest one wins."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any

from lockbridge.domain.pins import PinMode
from lockbridge.domain.stay import Buffers


@dataclass(frozen=True, slots=True)
class CodeSettings:
    """How codes are made for a property (R5, R6, R9, R16, R24, R25). Minutes are whole minutes.

    ``owner_codes``: the owner's own stays get codes, too.
    """

    pin_mode: PinMode = PinMode.PHONE
    pin_length: int = 4
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    backups: bool = True
    phone_wait_minutes: int = 5
    final_check_includes_buffer: bool = True
    owner_codes: bool = False

    @property
    def buffers(self) -> Buffers:
        """How much longer than the stay the code opens."""
        return Buffers(timedelta(minutes=self.buffer_before_minutes), timedelta(minutes=self.buffer_after_minutes))

    def with_overrides(self, chosen: Mapping[str, Any]) -> "CodeSettings":
        """The same with the given settings replaced; names it does not know are ignored, None means "as before"."""
        known = {field.name for field in fields(self)}
        wanted = {name: value for name, value in chosen.items() if name in known and value is not None}
        if "pin_mode" in wanted:
            wanted["pin_mode"] = PinMode(wanted["pin_mode"])
        return replace(self, **wanted)


LIMITS: Mapping[str, tuple[int, int]] = {
    "pin_length": (3, 12),
    "buffer_before_minutes": (0, 2880),
    "buffer_after_minutes": (0, 2880),
    "phone_wait_minutes": (0, 1440),
}
"""The least and the most of what is counted."""
_YES_OR_NO: Mapping[str, bool] = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def read_setting(name: str, said: object) -> Any:
    """The value of a setting of codes as somebody wrote it. Raises ValueError, saying what it may be."""
    if name not in {field.name for field in fields(CodeSettings)}:
        msg = f"there is no such setting: there are {', '.join(field.name for field in fields(CodeSettings))}"
        raise ValueError(msg)
    if name in LIMITS:
        return _counted(str(said).strip(), *LIMITS[name])
    word = str(said).strip().casefold()
    if name == "pin_mode":
        if word not in set(PinMode):
            msg = f"{said!r} is neither of {' and '.join(PinMode)}"
            raise ValueError(msg)
        return word
    if word not in _YES_OR_NO:
        msg = f"{said!r} is neither yes nor no"
        raise ValueError(msg)
    return _YES_OR_NO[word]


def _counted(said: str, least: int, most: int) -> int:
    if not (said.isascii() and said.isdigit() and len(said) < 6 and least <= int(said) <= most):  # noqa: PLR2004 - five digits are enough for all of them
        msg = f"{said!r} is no whole number from {least} to {most}"
        raise ValueError(msg)
    return int(said)
