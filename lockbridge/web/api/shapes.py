"""What stands in bodies and parameters: how days, times and texts are written, and refused when they are not."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from lockbridge.domain.stay import known_zone

LARGEST = 2**63 - 1
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2999, 12, 31)


class Sent(BaseModel):
    """What callers send: a field that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """What callers are answered: every field is there."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


def _day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        msg = "a day is written like 2026-06-14"
        raise ValueError(msg)
    return value


def _sensible(value: date) -> date:
    if not FIRST_DAY <= value <= LAST_DAY:
        msg = f"a day between {FIRST_DAY} and {LAST_DAY} is wanted"
        raise ValueError(msg)
    return value


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        msg = "an instant is written with its offset, like 2026-06-14T20:00:00Z"
        raise ValueError(msg)
    return value


def _utc(value: datetime) -> datetime:
    _sensible(value.date())
    return value.astimezone(UTC)


def _zone(value: str) -> str:
    if not known_zone(value):
        msg = "this is no time zone: write an IANA name such as America/New_York or Europe/Berlin"
        raise ValueError(msg)
    return value


NO_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
Text = Annotated[str, StringConstraints(max_length=200, pattern=NO_CONTROLS)]
Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=200, pattern=r"^[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
    ),
]
Note = Annotated[
    str, StringConstraints(max_length=2000, pattern=r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$")
]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Day = Annotated[
    date, BeforeValidator(_day), AfterValidator(_sensible), WithJsonSchema({"type": "string", "format": "date"})
]
Instant = Annotated[
    datetime, BeforeValidator(_instant), AfterValidator(_utc), WithJsonSchema({"type": "string", "format": "date-time"})
]
Zone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
Number = Annotated[int, Field(strict=True, ge=1, le=LARGEST)]

StayNumber = Annotated[int, Path(ge=1, le=LARGEST, description="The number of a stay.")]
LockNumber = Annotated[int, Path(ge=1, le=LARGEST, description="The number of a lock.")]
PropertyNumber = Annotated[int, Path(ge=1, le=LARGEST, description="The number of a property.")]
TaskNumber = Annotated[int, Path(ge=1, le=LARGEST, description="The number of a task.")]
