"""What was spoken to is said at the end of the run."""

import pytest

from tests.interop import node


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The counterparts and their versions."""
    for line in sorted(node.MET):
        terminalreporter.write_line(f"counterpart: {line}")
