import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog
from rich.console import Console

from lockbridge import demo
from lockbridge.demo import story
from lockbridge.demo.teller import Line, collapsed
from lockbridge.workflows import healthcheck

CHECKOUT = Path(__file__).parents[1]
AT = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    """The demo sets up the logging of its process; a test gives it back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.slow
def test_the_demo_tells_its_whole_story_and_every_promise_holds(tmp_path):
    told = subprocess.run(
        [sys.executable, "-m", "lockbridge", "demo"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "100", "LOCKBRIDGE_CODES__PIN_MODE": "random"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "promises of the story held" in told.stdout
    assert len(re.findall(r"^\d+ · ", told.stdout, re.MULTILINE)) == len(story.CHAPTERS)
    assert not any(len(line) > 100 for line in told.stdout.splitlines())
    assert "Traceback" not in told.stderr
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind, and no settings of the machine change it"


def test_a_promise_that_does_not_hold_is_named_and_fails_the_demo(monkeypatch, logging_as_before):
    monkeypatch.setattr(demo, "CHAPTERS", (story.connecting, story.helping))
    monkeypatch.setattr(healthcheck.backup, "give", lambda *_args, **_facts: False)
    written = io.StringIO()
    assert demo.run(Console(file=written, width=80)) == 1
    conclusion = written.getvalue().rpartition("did not hold:")[2]
    assert "Dora was e-mailed a backup code of that lock" in conclusion
    assert "each lock keeps two backup codes" not in conclusion


def test_what_is_said_over_and_over_is_told_once_and_counted():
    said = ["asked", "waiting"] * 3 + ["backup given", "asked"]
    lines = [Line(AT + timedelta(minutes=n), "engine", what) for n, what in enumerate(said)]
    assert [line.what for line in collapsed(lines)] == [
        "asked",
        "waiting",
        "… and 2 times more",
        "backup given",
        "asked",
    ]
    assert [line.at for line in collapsed(lines)][2] == AT + timedelta(minutes=5), "when it was said last"


def test_a_timeline_without_repeats_is_told_as_it_is():
    lines = [Line(AT, "engine", what) for what in ("booked", "pin", "name", "planned")]
    assert list(collapsed(lines)) == lines
