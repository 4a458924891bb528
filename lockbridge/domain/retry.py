"""When to try again (R21–R23): the five attempts, the daily check at 8:00 in New York, the waits and the looks."""

from datetime import datetime, time, timedelta

from lockbridge.domain.stay import to_local, to_utc

STEPS = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=6))
"""From each failed attempt of the first day to the next."""
LEAST = timedelta(seconds=30)
"""The least time between two attempts."""
ATTEMPTS_A_DAY = 5

CHECK_ZONE = "America/New_York"
CHECK_TIME = time(8)

_DAY = timedelta(days=1)
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(minutes=15)
_DOUBLINGS = 5
_SHORTEST_PROMISE = timedelta(seconds=1)
_LONGEST_PROMISE = _DAY
_LOOKS = tuple(timedelta(seconds=seconds) for seconds in (5, 15, 30, 60, 120, 300, 600, 900))


def next_healthcheck(after: datetime) -> datetime:
    """The first 8:00 in New York strictly after the instant, as UTC (R23)."""
    today = to_local(after, CHECK_ZONE).date()
    check = to_utc(today, CHECK_TIME, CHECK_ZONE)
    return check if check > after else to_utc(today + _DAY, CHECK_TIME, CHECK_ZONE)


def healthcheck_slot(now: datetime) -> datetime:
    """The last 8:00 in New York that is not after ``now``, as UTC: the check that should have run by now (R23)."""
    today = to_local(now, CHECK_ZONE).date()
    check = to_utc(today, CHECK_TIME, CHECK_ZONE)
    return check if check <= now else to_utc(today - _DAY, CHECK_TIME, CHECK_ZONE)


def next_attempt(failures: int, failed_at: datetime, opens_at: datetime | None) -> datetime:
    """When to try again after the n-th failure (from 1), ``opens_at`` being when the window opens (R21).

    The first four follow their steps. Where these would not all fit before the window opens, they are spread
    evenly up to it, though never further apart than their steps nor closer than 30 s – which is what they are
    when the window is open already. From the fifth on it is the next 8:00 check, also at least 30 s away.
    Raises ``ValueError`` without a failure.
    """
    if failures < 1:
        msg = "there is no next attempt before the first failure"
        raise ValueError(msg)
    if failures >= ATTEMPTS_A_DAY:
        return max(next_healthcheck(failed_at), failed_at + LEAST)
    return failed_at + _step(failures, None if opens_at is None else opens_at - failed_at)


def _step(failures: int, left: timedelta | None) -> timedelta:
    remaining = STEPS[failures - 1 :]
    if left is None or sum(remaining, timedelta(0)) < left:
        return remaining[0]
    return min(remaining[0], max(left / (len(remaining) + 1), LEAST))


def wait_for(waits: int, retry_after: timedelta | None) -> timedelta:
    """How long to leave the lock app alone, ``waits`` being the waits so far (R22).

    What the lock app asks for (kept between 1 s and 24 h); else 30 s, doubled with each wait, at most 15 min.
    """
    if retry_after is not None:
        return min(max(retry_after, _SHORTEST_PROMISE), _LONGEST_PROMISE)
    return min(_FIRST_WAIT * (1 << min(max(waits, 0), _DOUBLINGS)), _LONGEST_WAIT)


def look_again(looks: int) -> timedelta:
    """How long until the next look at an outcome not known yet, ``looks`` being the looks so far (R22).

    5, 15 and 30 s, then 1, 2, 5 and 10 min, then every 15 min.
    """
    return _LOOKS[min(max(looks, 0), len(_LOOKS) - 1)]
