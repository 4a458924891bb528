"""What simulations have brought to light once, told by hand, so that it stays mended."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from lockbridge.config import load
from lockbridge.domain.ids import LockRef
from lockbridge.simulation import run
from lockbridge.simulation.oracle import Mail
from lockbridge.simulation.report import Report
from lockbridge.simulation.run import Simulation
from lockbridge.simulation.world import Booking, DrawnLock, Facts, Guest, Place, Sending, Size, Version, World
from providers.simulator import Fault, Verb

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEN = Guest("G1", "Ben Okafor", "ben@guests.example", "+1 201 555 0123")
EVE = Guest("G2", "Eve Smith", "eve@guests.example", "+1 201 555 0145")


def place(ref: str, *locks: str) -> Place:
    return Place(ref, f"Loft {ref}", 0, "generic", "UTC", "US", "15:00", "11:00", 0, 0, "random", locks)


def stay(at: str, arrival: int, departure: int) -> Facts:
    return Facts(at, "confirmed", date(2026, 6, arrival), date(2026, 6, departure), None, None, phone=True)


def booking(ref: str, guest: Guest, *versions: tuple[datetime, Facts]) -> Booking:
    sendings = [Sending(at, number, f"{ref}-{number}") for number, (at, _) in enumerate(versions)]
    return Booking(ref, f"HMX{ref}", guest, [Version(at, facts) for at, facts in versions], sendings)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 6, day, hour, tzinfo=UTC)


class Story:
    """A world told by hand, run without faults; what its guests were mailed."""

    def __init__(self, locks: dict[str, str], places: list[Place], bookings: list[Booking]) -> None:
        drawn = {ref: DrawnLock(ref, f"Door {ref}", rules, 0) for ref, rules in locks.items()}
        by_ref = {one.ref: one for one in places}
        booked = {one.ref: one for one in bookings}
        size = Size(len(bookings), len(locks), 20, 1)
        self.world = World(size, START, START + timedelta(days=20), 1, drawn, by_ref, booked, ())
        self.mails: list[Mail] = []

    def run(self, prepare: Callable[[Simulation], None] = lambda _: None) -> Report:
        with run.database_url(None) as url:
            scene = run.scene(self.world, "none", url, load())
            hear = scene.oracle.mailed

            def mailed(mail: Mail, *, sure: bool) -> None:
                self.mails.append(mail)
                hear(mail, sure=sure)

            scene.oracle.mailed = mailed
            simulation = Simulation(scene)
            prepare(simulation)
            return asyncio.run(simulation.run())

    def to(self, guest: Guest) -> list[Mail]:
        """The mails about codes; thanks at the end aside."""
        return [mail for mail in self.mails if mail.to == guest.email and "Thank you" not in mail.subject]


def sins(report: Report) -> list[str]:
    return [str(cause.as_dict()) for cause in report.causes if not cause.excused]


def test_r19_a_guest_in_the_house_keeps_the_pin_when_the_next_stay_of_the_chain_moves_away():
    story = Story(
        {"L1": "standard", "L2": "standard"},
        [place("P1", "L1"), place("P2", "L2")],
        [
            booking("R0", EVE, (at(1, 1), stay("P2", 5, 7))),
            booking("R1", BEN, (at(1, 1), stay("P1", 10, 12))),
            booking("R2", BEN, (at(1, 2), stay("P1", 12, 14)), (at(10, 20), stay("P2", 12, 14))),
        ],
    )
    report = story.run()
    assert not sins(report)
    assert report.score.arrivals >= 3
    subjects = [mail.subject for mail in story.to(BEN)]
    assert subjects == [
        "Your door code for Loft P1",
        "Your door code for Loft P1 keeps working",
        "Your door code for Loft P2",
    ]


def test_r44_a_stay_that_follows_no_other_any_more_is_not_told_that_it_does():
    story = Story(
        {"L1": "standard", "L2": "standard"},
        [place("P1", "L1"), place("P2", "L2")],
        [
            booking("R1", BEN, (at(1, 1), stay("P1", 10, 12))),
            booking("R2", BEN, (at(1, 2), stay("P1", 12, 14)), (at(5), stay("P2", 12, 14))),
        ],
    )
    assert not sins(story.run())
    assert not [mail.subject for mail in story.to(BEN) if "keeps working" in mail.subject]


def test_r36_a_guest_who_moved_from_a_lock_that_chose_its_digits_is_told_the_new_ones():
    story = Story(
        {"L1": "algorithmic", "L2": "standard"},
        [place("P1", "L1"), place("P2", "L2")],
        [booking("R1", BEN, (at(1, 1), stay("P1", 10, 13)), (at(11, 6), stay("P2", 10, 13)))],
    )
    report = story.run()
    assert not sins(report)
    assert [mail.subject for mail in story.to(BEN)][-1] == "Your door code for Loft P2 has changed"


def test_r38_two_backups_that_are_given_at_once_are_told_in_one_message():
    story = Story(
        {"L1": "standard", "L2": "standard"},
        [place("P1", "L1", "L2")],
        [booking("R1", BEN, (at(1, 1), stay("P1", 10, 12)))],
    )

    def cut_off(simulation: Simulation) -> None:
        app = simulation._scene.app
        for lock in ("L1", "L2"):
            simulation.agenda.put(at(7), lambda lock=lock: app.out_of_reach(lock, at(11)))

    report = story.run(cut_off)
    assert not sins(report)
    backups = [mail for mail in story.to(BEN) if "use this one instead" in mail.text]
    assert len(backups) == 1
    assert "Door L1: " in backups[0].text
    assert "Door L2: " in backups[0].text


def test_a_stay_that_is_cancelled_and_rebooked_by_another_opens_for_the_other_only():
    first = stay("P1", 10, 13)
    story = Story(
        {"L1": "slots"},
        [place("P1", "L1")],
        [
            booking("R1", BEN, (at(1, 1), first), (at(11, 6), replace(first, status="cancelled"))),
            booking("R2", EVE, (at(11, 8), stay("P1", 11, 13))),
        ],
    )
    assert not sins(story.run())


def test_r36_digits_that_a_provider_chooses_after_the_message_was_sent_are_told_too():
    story = Story(
        {"L1": "standard", "L2": "algorithmic"},
        [place("P1", "L1", "L2")],
        [booking("R1", BEN, (at(10, 16), stay("P1", 10, 12)))],
    )

    def refuse_once(simulation: Simulation) -> None:
        app = simulation._scene.app
        simulation.agenda.put(at(9), lambda: app.script(LockRef("L2"), Fault.ERROR_BEFORE, on=[Verb.SET]))

    report = story.run(refuse_once)
    assert not sins(report)
    assert report.score.arrivals > 0
    assert [mail.subject for mail in story.to(BEN)] == [
        "Your door code for Loft P1",
        "Your door code for Loft P1 has changed",
    ]
