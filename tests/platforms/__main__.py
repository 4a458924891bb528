"""``python -m tests.platforms``: the contract suite, printed per platform: each promise, and who keeps it.

Further words go to pytest (``-k hospitable``). The exit code is pytest's.
"""

import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from lockbridge.platforms import PLATFORMS

HERE = Path(__file__).parent
SUITES = [f"{HERE / name}" for name in ("test_platform_contract.py", "test_client_contract.py")]
WAYS = {
    "test_what_a_webhook_says_of_a_stay": "webhook",
    "test_what_the_api_says_of_a_stay": "API",
    "test_what_the_client_promises": "client",
}
MARKS = {"passed": "✓", "failed": "✗", "skipped": "s"}


class Table:
    """What became of each check, by platform."""

    def __init__(self) -> None:
        self.subjects: dict[str, tuple[str, str]] = {}
        self.found: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Which check a test is, and whose."""
        for item in items:
            parameters = getattr(item, "callspec", None)
            subject = parameters and (parameters.params.get("case") or parameters.params.get("vendor"))
            if subject is not None:
                self.subjects[item.nodeid] = _check_and_platform(item.originalname, subject)  # type: ignore[attr-defined]  # of functions

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What became of it; a test that fails when it is set up has failed."""
        if report.nodeid in self.subjects and (report.when == "call" or report.outcome != "passed"):
            check, platform = self.subjects[report.nodeid]
            self.found[check][platform][report.outcome] += 1

    def lines(self) -> list[str]:
        """The table: a check in each line, a platform in each column; ``·`` where it does not apply."""
        keys = [key for key in PLATFORMS if any(key in row for row in self.found.values())]
        width = max((len(check) for check in self.found), default=0)
        head = f"{'':{width}}  {'  '.join(keys)}"
        rows = [
            f"{check:{width}}  {'  '.join(f'{_mark(row.get(key)):^{len(key)}}' for key in keys)}"
            for check, row in self.found.items()
        ]
        sums = [f"{_passed(self.found, key):^{len(key)}}" for key in keys]
        return [head, *rows, f"{'checks passed':{width}}  {'  '.join(sums)}"]


def _check_and_platform(test: str, subject: object) -> tuple[str, str]:
    vendor, check = getattr(subject, "vendor", subject), getattr(subject, "check", None)
    name = f"{check}" if check else test.removeprefix("test_")
    return f"{WAYS.get(test, 'webhook')}: {name.replace('_', ' ')}", vendor.platform.key  # type: ignore[attr-defined]  # a Vendor


def _mark(found: Counter[str] | None) -> str:
    if not found:
        return "·"
    return next(MARKS[outcome] for outcome in ("failed", "skipped", "passed") if found[outcome])


def _passed(rows: dict[str, dict[str, Counter[str]]], key: str) -> str:
    marks = [_mark(row.get(key)) for row in rows.values()]
    return f"{marks.count('✓')}/{len(marks) - marks.count('·')}"


if __name__ == "__main__":
    table = Table()
    code = pytest.main(["-q", "-n0", "--no-header", *SUITES, *sys.argv[1:]], plugins=[table])
    print("\n".join(table.lines()))  # noqa: T201 - what it is for
    sys.exit(code)
