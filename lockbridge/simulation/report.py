"""What a simulation came to: a table for people, JSON for programs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lockbridge.simulation.lockapp import WatchedLockApp
from lockbridge.simulation.oracle import Cause, Oracle, Score

MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Report:
    """The counts, the reasons, and what it cost."""

    score: Score
    causes: tuple[Cause, ...]
    calls_per_code: float
    peak_mb: float
    stays_per_second: float
    seconds: float

    @classmethod
    def of(cls, oracle: Oracle, app: WatchedLockApp, stays: int, seconds: float, peak: float) -> "Report":
        """The report of a run that is over."""
        calls = sum(app.calls.values())
        per_code = round(calls / max(app.codes_made, 1), 2)
        return cls(oracle.score, tuple(oracle.causes), per_code, peak, round(stays / seconds, 1), seconds)

    @property
    def content(self) -> bool:
        """Whether nothing happened that must not happen."""
        return self.score.content

    def as_dict(self) -> dict[str, Any]:
        """For JSON; the keys are part of what lockbridge promises."""
        score = self.score
        return {
            "arrivals": score.arrivals,
            "opened": score.opened,
            "closed": score.closed,
            "closed_unexplained": score.closed_unexplained,
            "opened_outside_window": score.opened_outside_window,
            "foreign_touched": score.foreign_touched,
            "duplicate_codes": score.duplicate_codes,
            "pins_changed_after_telling": score.pins_changed_after_telling,
            "messages_lost": score.messages_lost,
            "messages_doubled": score.messages_doubled,
            "calls_per_code": self.calls_per_code,
            "peak_mb": self.peak_mb,
            "stays_per_second": self.stays_per_second,
            "causes": [cause.as_dict() for cause in self.causes],
        }

    def rows(self) -> Iterator[tuple[str, str]]:
        """The lines of the table."""
        for name, value in self.as_dict().items():
            if name != "causes":
                yield name.replace("_", " "), str(value)
        yield "engine errors", str(self.score.engine_errors)
        yield "took", f"{self.seconds:.1f} s"

    def reasons(self) -> Iterator[str]:
        """The causes as lines: all that are not excused, and how many of each sort are."""
        bad = [cause for cause in self.causes if not cause.excused]
        for cause in bad[:MOST_SHOWN]:
            where = " ".join(part for part in (cause.stay, cause.lock) if part)
            yield f"{cause.at:%a %d %b %Y %H:%M:%S} UTC  {cause.sort}: {where}: {cause.why} (told: {cause.told or '-'})"
        if len(bad) > MOST_SHOWN:
            yield f"… and {len(bad) - MOST_SHOWN} more (--json lists all)"
        excused = Counter((cause.sort, _gist(cause.why)) for cause in self.causes if cause.excused)
        for (sort, why), number in sorted(excused.items()):
            yield f"excused: {sort}, {number} times: {why}"


def _gist(why: str) -> str:
    """The reason without its instants."""
    return " ".join(word for word in why.split() if not any(char.isdigit() for char in word))
