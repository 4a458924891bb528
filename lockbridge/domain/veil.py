"""What a text says with its secrets hidden: for people who may know that something was said, not its digits."""

import re

DOT = "•"
HIDDEN = DOT * 4
"""What stands for digits that are hidden, however many they are."""
LINK = "(a link)"
ADDRESS = "(an e-mail address)"
_LINK = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\bwww\.\S+", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")


def unlinked(text: str) -> str:
    """The text without links."""
    return _LINK.sub(LINK, text)


def veiled(text: str) -> str:
    """The text with every digit a dot, and without links and e-mail addresses: a link may be a key, too."""
    plain = _ADDRESS.sub(ADDRESS, unlinked(text))
    return "".join(DOT if char.isdecimal() else char for char in plain)
