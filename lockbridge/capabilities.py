"""The tables of what every lock app and booking platform can do (docs/providers.md, docs/platforms.md)."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from lockbridge.contract import ProviderSpec
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Readback, Rounding
from lockbridge.platforms.contract import Platform

INTRODUCTION = """\
# Lock apps

What each driver says of its locks. This page is made from the code (`lockbridge lock-app matrix`), and a test holds the
two equal. The engine gates on nothing but these figures; a single lock may differ: its vendor is asked.

**Class**: A keeps windows, so codes are put on it days ahead; B works out its codes by itself: the digits are the lock
app's choice, and cannot be taken back; C is a slot without a clock, which lockbridge fills shortly before a stay and
clears after it.
"""
COLUMNS = (
    *("locks", "class", "digits", "names", "windows", "pushed ahead", "codes", "confirmed"),
    *("read back", "changed in place", "taken back", "opens", "log"),
)
_ROUNDING = {
    Rounding.NONE: "exact",
    Rounding.MINUTE: "whole minutes",
    Rounding.HOUR: "whole hours",
    Rounding.DAY: "whole days",
}
_READBACK = {Readback.FULL: "yes", Readback.MASKED: "without digits", Readback.NONE: "no"}


PLATFORMS_INTRODUCTION = """\
# Booking platforms

Where stays come from, as each platform's module says it. This page is made from the code (`lockbridge platform
matrix`), and a test holds the two equal.

**Webhooks**: how a delivery is proved to be the platform's: by a signature or a secret of its own, or by *the address
alone* – then it only causes a question to the API. **API**: reservations are read again by name after each webhook,
asked for every few minutes, and read whole once a day. **Door code**: whether the platform has a field for it, which is
written and read back. **Inbox**: whether guests can be written to there.
"""


def platforms_markdown(platforms: Mapping[str, Platform]) -> str:
    """The page of the booking platforms."""
    lines = [*_platform_head(), *(_platform(platforms[key]) for key in sorted(platforms))]
    return "\n".join([PLATFORMS_INTRODUCTION, *lines]).rstrip() + "\n"


def _platform_head() -> Iterator[str]:
    yield from _head(
        "platform", "webhooks", "API", "asks for", "asked every", "published limit", "door code", "inbox", "maturity"
    )


def _platform(platform: Platform) -> str:
    fields = ", ".join(f"{field.label}{' (secret)' if field.secret else ''}" for field in platform.fields)
    limit = f"{platform.rate.calls} in {_time(platform.rate.per)}" if platform.rate else "none known"
    asked = _time(platform.poll_every) if platform.connect or platform.feed else ""
    return _line(
        f"**{platform.title}** `{platform.key}`",
        _proof(platform),
        "yes" if platform.connect else "calendar" if platform.feed else "no",
        fields,
        asked,
        limit if asked else "",
        "yes" if platform.writes_codes else "no",
        "yes" if platform.sends_messages else "no",
        platform.maturity,
    )


def _proof(platform: Platform) -> str:
    if platform.hook is None:
        return "none"
    return "the address alone" if platform.hook.secret_is_address else "proved"


def markdown(kinds: Mapping[str, ProviderSpec]) -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *_overview(kinds), "", *_details(kinds)]).rstrip() + "\n"


def _overview(kinds: Mapping[str, ProviderSpec]) -> Iterator[str]:
    yield from _head("lock app", "class", "asks for", "webhooks", "calls at once", "published limit", "maturity")
    for key in sorted(kinds):
        spec = kinds[key]
        classes = ", ".join(sorted({can.lock_class.value for can in spec.kinds.values()})) or "A, B, C"
        fields = ", ".join(f"{field.label}{' (secret)' if field.secret else ''}" for field in spec.fields)
        limit = f"{spec.rate.calls} in {_time(spec.rate.per)}" if spec.rate else "none known"
        hook = "yes" if spec.hook else "no"
        yield _line(f"**{spec.title}** `{key}`", classes, fields, hook, str(spec.max_parallel), limit, spec.maturity)


def _details(kinds: Mapping[str, ProviderSpec]) -> Iterator[str]:
    yield from _head(*COLUMNS)
    for key in sorted(kinds):
        for kind, can in kinds[key].kinds.items():
            yield _line(f"**{kinds[key].title}**: {kind}", *_row(can))


def _head(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield "|" + "---|" * len(names)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _row(can: Capabilities) -> Iterator[str]:
    yield can.lock_class.value
    yield "chosen by the lock app" if can.chooses_pin else digits(can.pin_rules)
    yield names(can.name_rules) if can.keeps_names else "none"
    yield _ROUNDING[can.rounding] if can.keeps_windows else "none"
    yield _time(can.lead)
    yield str(can.max_codes)
    yield "by the answer" if can.confirms else f"by a look, within {_time(can.confirm_within)}"
    yield _READBACK[can.readback]
    yield ", ".join(sorted(can.updates)) or "nothing"
    yield "yes" if can.can_remove else "no"
    yield "yes" if can.can_open else "no"
    yield "yes" if can.has_log else "no"


def digits(rules: PinRules) -> str:
    """Which PINs a lock takes, in words."""
    return "; ".join([_lengths(rules.lengths), *_digit_rules(rules)])


def _digit_rules(rules: PinRules) -> Iterator[str]:
    if rules.forbidden_digits:
        yield f"no {', '.join(sorted(rules.forbidden_digits))}"
    if rules.forbidden_prefixes:
        yield f"not {', '.join(f'{prefix}…' for prefix in rules.forbidden_prefixes)}"
    if rules.min_distinct_digits > 1:
        yield f"{rules.min_distinct_digits} different ones"
    if rules.no_run:
        yield "no run"
    if rules.no_equal_digits:
        yield "not all equal"
    if rules.one_length_per_lock:
        yield "one length on a lock"
    if rules.unique_first_four:
        yield "first four unique"


def names(rules: NameRules) -> str:
    """Which names a lock takes, in words."""
    return f"≤ {rules.max_length}" + (", unique" if rules.unique else "")


def _lengths(lengths: frozenset[int]) -> str:
    known = sorted(lengths)
    if len(known) > 1 and known == list(range(known[0], known[-1] + 1)):
        return f"{known[0]}–{known[-1]}"
    return ", ".join(str(length) for length in known)


def _time(span: timedelta) -> str:
    for unit, name in ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if span >= unit and not span % unit:
            return f"{span // unit} {name}"
    return f"{span.total_seconds():g} s"
