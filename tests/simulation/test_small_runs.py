"""Small simulations with fixed seeds: every door does as it should, and the same seed tells the same story."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from lockbridge.commands.simulate import simulate as command
from lockbridge.config import load
from lockbridge.simulation.report import Report
from lockbridge.simulation.run import simulate
from lockbridge.simulation.world import Size, draw, in_order

SMALL = Size(stays=18, locks=6, days=12, seed=1)
KEYS = [
    "arrivals",
    "opened",
    "closed",
    "closed_unexplained",
    "opened_outside_window",
    "foreign_touched",
    "duplicate_codes",
    "pins_changed_after_telling",
    "messages_lost",
    "messages_doubled",
    "calls_per_code",
    "peak_mb",
    "stays_per_second",
    "causes",
]


def run(seed: int, faults: str) -> Report:
    return simulate(Size(SMALL.stays, SMALL.locks, SMALL.days, seed), faults, load())


def sins(report: Report) -> list[str]:
    return [str(cause.as_dict()) for cause in report.causes if not cause.excused]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_with_nothing_going_wrong_every_arrival_opens(seed):
    report = run(seed, "none")
    assert not sins(report)
    assert report.content
    assert report.score.arrivals > 15
    assert report.score.opened == report.score.arrivals


@pytest.mark.slow
@pytest.mark.parametrize(("faults", "seed"), [("mild", 3), ("harsh", 4), ("harsh", 5)])
def test_with_much_going_wrong_nothing_happens_that_must_not(faults, seed):
    report = run(seed, faults)
    assert not sins(report)
    assert report.content
    assert report.score.arrivals > 15


def test_the_report_has_the_keys_that_are_promised():
    report = simulate(Size(3, 2, 10, 1), "none", load())
    assert list(report.as_dict()) == KEYS
    assert json.dumps(report.as_dict())


@pytest.mark.slow
def test_the_same_seed_tells_the_same_story_whatever_the_order_of_hashes():
    root = Path(__file__).parents[2]
    script = (
        "import json; from lockbridge.config import load; from lockbridge.simulation.run import simulate\n"
        "from lockbridge.simulation.world import Size\n"
        "told = simulate(Size(6, 4, 10, 7), 'harsh', load()).as_dict()\n"
        "told.pop('peak_mb'); told.pop('stays_per_second'); print(json.dumps(told))"
    )

    def story(hash_seed: str) -> str:
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
        return done.stdout

    assert story("1") == story("2")


def test_the_world_of_a_seed_is_always_the_same_and_has_what_it_should():
    size = Size(400, 60, 60, 3)
    world = draw(size)
    assert repr(world) == repr(draw(size))
    assert len(world.bookings) == 400
    assert len(world.locks) == 60
    assert all(1 <= len(place.locks) <= 3 for place in world.places.values())
    assert all(in_order(booking.versions) for booking in world.bookings.values())
    last = [booking.versions[-1].facts for booking in world.bookings.values()]
    assert {facts.status for facts in last} >= {"confirmed", "cancelled"}
    moved = [b for b in world.bookings.values() if len({version.facts.place for version in b.versions}) > 1]
    assert moved
    assert any(len(booking.sendings) > len(booking.versions) for booking in world.bookings.values())
    assert {place.platform for place in world.places.values()} == {"generic", "hospitable"}


def test_the_command_says_by_its_exit_code_whether_the_oracle_is_content():
    app = typer.Typer()
    app.command()(command)
    options = ["--stays", "3", "--locks", "2", "--days", "10", "--seed", "1", "--faults", "none", "--json"]
    done = CliRunner().invoke(app, options)
    assert done.exit_code == 0
    assert list(json.loads(done.stdout)) == KEYS
