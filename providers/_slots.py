"""The code slots of a lock that a host leaves to us."""

from lockbridge.contract import AccountRefused


def slots_in(text: str) -> range | None:
    """What a host typed: ``10-29``, one slot, or nothing (None: the driver's own choice). Raises AccountRefused."""
    if not text.strip():
        return None
    first, _, last = text.replace("–", "-").partition("-")
    try:
        slots = range(int(first), int(last or first) + 1)
    except ValueError:
        slots = range(0)
    if not slots or slots.start < 1:
        msg = "the slots are a range such as 10-29, from 1 on"
        raise AccountRefused(msg)
    return slots
