"""A figure, its goal, and the page they are written to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure. ``good`` says whether it meets its goal; None: it has none."""

    bench: str
    what: str
    measured: str
    goal: str = ""
    good: bool | None = None

    @property
    def mark(self) -> str:
        """Whether the goal is met, in a word."""
        return {True: "met", False: "missed", None: ""}[self.good]


def ratio(bench: str, what: str, value: float, goal: float, *, at_most: bool = False, note: str = "") -> Figure:
    """A ratio with its goal; ``at_most`` for costs."""
    good = value <= goal if at_most else value >= goal
    sign = "≤" if at_most else "≥"
    return Figure(bench, what, f"{value:.2f}" + (f" ({note})" if note else ""), f"{sign} {goal:g}", good)


Bench = Callable[..., Sequence[Figure]]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| bench | measured side by side | result | goal | |", "|---|---|---|---|---|"]
    lines += [f"| {f.bench} | {f.what} | {f.measured} | {f.goal} | {f.mark} |" for f in figures]
    return "\n".join(lines)


def write_page(figures: Sequence[Figure], machine: str, options: str) -> None:
    """Write ``docs/performance.md``: the machine, the figures, how to read them."""
    PAGE.write_text(
        f"""# Performance

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}; do not edit. Machine: {machine}. Options: {options or "none"}.

Each figure is a ratio taken side by side in one run, against the least that could do the same work on the same
machine: trust the ratios, not the absolute numbers – shared machines are noisy.

{table(figures)}

What the references are: T1 and T2 a bare Starlette route with a raw driver's group-commit insert, on the same server
and event loop; how much that is of the raw single-row inserts bounds what the webhook route can be of them. T3 a bare
httpx loop with the same transport, concurrency and requests; T4 the same question at 10,000 codes; T5 the same scan in
raw SQL; T6 the same rows inserted by the raw driver in batches; T9 the same intake while nothing else runs; T10 a bare
loop with the same client that asks what the driver was seen to ask, of the same local vendor with prepared answers; T11
a tenth of the second that others take for a calendar of 1,000 events, and the cost of an event there and among 10,000;
T12 what a page may cost, asked for through the whole application.
""",
        encoding="utf-8",
    )
