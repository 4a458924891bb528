"""The oracle sees the sins that are planted – in the lock app, in the mail, in the engine – and excuses no others."""

import ast
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lockbridge.config import load
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.messaging.channel import Email
from lockbridge.simulation import mishaps, oracle, run, world
from lockbridge.simulation.lockapp import WatchedLockApp
from lockbridge.simulation.oracle import Doors, Held, LockFacts, Mail, Oracle, Span, instant, read_mail, widened
from lockbridge.simulation.report import Report
from lockbridge.simulation.world import Booking, Facts, Guest, Place, Size, Version

ROOT = Path(__file__).parents[2]
TINY = Size(stays=14, locks=5, days=12, seed=3)


# -- independence ----------------------------------------------------------------------------------------------------


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("module", [oracle, world])
def test_the_oracle_shares_no_code_with_the_engine(module):
    ours = {name for name in imports(Path(module.__file__)) if name.split(".")[0] in ("lockbridge", "providers")}
    assert ours <= {"lockbridge.simulation.world"}


def test_loading_the_oracle_loads_nothing_of_the_engine():
    script = "import sys, lockbridge.simulation.oracle; print(*(name for name in sys.modules if 'lockbridge' in name))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    allowed = ["lockbridge", "lockbridge.simulation", "lockbridge.simulation.oracle", "lockbridge.simulation.world"]
    assert sorted(done.stdout.split()) == allowed


# -- its own arithmetic ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "at", "zone", "end", "expected"),
    [
        (date(2026, 3, 8), "02:30", "America/New_York", False, "2026-03-08T07:30"),
        (date(2026, 3, 8), "02:30", "America/New_York", True, "2026-03-08T07:30"),
        (date(2026, 11, 1), "01:30", "America/New_York", False, "2026-11-01T05:30"),
        (date(2026, 11, 1), "01:30", "America/New_York", True, "2026-11-01T06:30"),
        (date(2026, 6, 1), "16:00", "Europe/Berlin", False, "2026-06-01T14:00"),
    ],
)
def test_r16_the_oracle_knows_skipped_and_doubled_times(day, at, zone, end, expected):
    assert instant(day, at, zone, end=end) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_limits_of_locks_are_their_rounding_and_their_lead():
    span = Span(datetime(2026, 6, 1, 14, 20, tzinfo=UTC), datetime(2026, 6, 3, 9, 10, tzinfo=UTC))
    hourly = widened(span, LockFacts("L1", "one", step=timedelta(hours=1)))
    assert (hourly.starts.hour, hourly.starts.minute, hourly.ends.hour, hourly.ends.minute) == (14, 0, 10, 0)
    slots = widened(span, LockFacts("L1", "one", keeps_windows=False))
    assert (slots.starts, slots.ends) == (span.starts - timedelta(minutes=10), span.ends)


def test_a_mail_is_read_as_a_person_reads_it():
    text = "Hello 1234,\n\n    Street door: 4711\n    Flat door 7: 0815\n\nIt works until 5 June, 11:00.\n"
    told = read_mail(Mail(datetime(2026, 6, 1, tzinfo=UTC), "a@example.com", "Your code", text, "<1>"))
    assert [(one.locks, one.pin) for one in told] == [(("Street door",), "4711"), (("Flat door 7",), "0815")]


def test_a_mail_that_gives_a_backup_gives_it_for_its_door_alone():
    text = "Use:\n\n    Flat: 9999\n\nplease use this one instead.\n\nThe other doors open with:\n\n    Street: 0815\n"
    told = read_mail(Mail(datetime(2026, 6, 1, tzinfo=UTC), "a@example.com", "Your code", text, "<1>"))
    assert [(one.locks, one.pin, one.instead) for one in told] == [
        (("Flat",), "9999", True),
        (("Street",), "0815", False),
    ]


# -- one door, by hand -----------------------------------------------------------------------------------------------

OPENS = datetime(2026, 6, 5, 15, tzinfo=UTC)
CLOSES = datetime(2026, 6, 7, 11, tzinfo=UTC)
PLACE = Place("P1", "Loft", 0, "generic", "UTC", "GB", "15:00", "11:00", 0, 0, "phone", ("L1",))
FACTS = Facts("P1", "confirmed", date(2026, 6, 5), date(2026, 6, 7), None, None, phone=True)
GUEST = Guest("G1", "Ana Reyes", "ana@guests.example", "+1 201 555 0123")


class OneDoor(Doors):
    def __init__(self):
        self.codes: list[Held] = []
        self.offline: datetime | None = None

    def opens(self, lock, pin, at):
        return any(code.pin == pin and (code.window is None or code.window.holds(at)) for code in self.codes)

    def on_lock(self, lock, at):
        return self.codes

    def offline_since(self, lock, at):
        return self.offline

    def last_offline(self, lock, at):
        return at if self.offline else None


@pytest.fixture
def door():
    return OneDoor()


@pytest.fixture
def judge(door):
    booked = datetime(2026, 6, 1, tzinfo=UTC)
    told = Oracle({"P1": PLACE}, {"L1": LockFacts("L1", "Door")}, door, patience=timedelta(minutes=5))
    told.delivered(Booking("R1", "HMX1", GUEST, [Version(booked, FACTS)], []), 0, booked)
    return told


def mail(text: str = "1234", number: int = 1) -> Mail:
    return Mail(OPENS - timedelta(hours=24), GUEST.email, "Your door code", f"Hello,\n\n    {text}\n", f"<{number}>")


STAY = Span(OPENS, CLOSES)


def code(pin="1234", window=STAY, *, ours=True) -> Held:
    return Held("c1", pin, "Ana Reyes", window, ours, settled=True)


def test_a_door_that_opens_is_counted(judge, door):
    judge.mailed(mail(), sure=True)
    door.codes = [code()]
    judge.visit("R1", "P1", OPENS)
    judge.visit("R1", "P1", CLOSES)
    assert (judge.score.arrivals, judge.score.opened, judge.score.content) == (1, 1, True)


def test_a_guest_who_was_never_told_stands_before_a_closed_door(judge, door):
    door.codes = [code()]
    judge.visit("R1", "P1", OPENS)
    judge.check_told("R1", 0, OPENS + timedelta(hours=1))
    assert (judge.score.closed_unexplained, judge.score.messages_lost) == (1, 1)


def test_a_lock_that_was_never_in_reach_is_an_excuse_only_without_a_backup(judge, door):
    judge.mailed(mail(), sure=True)
    door.offline = OPENS - timedelta(days=4)
    judge.visit("R1", "P1", OPENS)
    assert (judge.score.closed, judge.score.closed_unexplained) == (1, 0)
    door.codes = [code("9999", None)]
    judge.visit("R1", "P1", OPENS)
    assert (judge.score.closed, judge.score.closed_unexplained) == (2, 1)


def test_a_lock_that_went_offline_when_the_code_could_have_been_there_is_no_excuse(judge, door):
    judge.mailed(mail(), sure=True)
    door.offline = OPENS - timedelta(days=1)
    judge.visit("R1", "P1", OPENS)
    assert judge.score.closed_unexplained == 1


def test_a_code_that_opens_after_the_stay_is_seen(judge, door):
    judge.mailed(mail(), sure=True)
    door.codes = [code(window=Span(OPENS, CLOSES + timedelta(hours=2)))]
    judge.visit("R1", "P1", CLOSES + timedelta(minutes=1))
    assert judge.score.opened_outside_window == 1


@pytest.mark.parametrize(
    ("died", "sins"), [(timedelta(0), 0), (-timedelta(seconds=1), 1), (timedelta(seconds=59), 0), (None, 1)]
)
def test_a_process_that_died_when_the_stay_ended_is_an_excuse_until_another_takes_over(judge, door, died, sins):
    judge.mailed(mail(), sure=True)
    door.codes = [code(window=None)]
    if died is not None:
        judge.died(CLOSES + died)
    judge.visit("R1", "P1", CLOSES + timedelta(minutes=1))
    judge.visit("R1", "P1", CLOSES + timedelta(minutes=3))
    assert judge.score.opened_outside_window == sins + 1


def test_a_strangers_code_with_the_same_digits_is_not_ours_to_answer_for(judge, door):
    judge.mailed(mail(), sure=True)
    door.codes = [code(window=None, ours=False)]
    judge.visit("R1", "P1", CLOSES + timedelta(minutes=1))
    assert judge.score.content


def test_a_given_backup_may_open_from_when_it_was_given(judge, door):
    backup = replace(mail("9999"), text="Hello,\n\n    9999\n\nplease use this one instead.\n")
    judge.mailed(backup, sure=True)
    door.codes = [code("9999", None)]
    judge.visit("R1", "P1", OPENS - timedelta(hours=1))
    assert judge.score.content
    judge.visit("R1", "P1", CLOSES + timedelta(minutes=1))
    assert judge.score.opened_outside_window == 1


@pytest.mark.parametrize(("booked", "arrivals"), [(OPENS, 1), (CLOSES + timedelta(minutes=5), 0)])
def test_r44_the_hours_between_two_stays_belong_to_the_guest_unless_the_first_was_over_before(judge, booked, arrivals):
    later = replace(FACTS, arrival=FACTS.departure, departure=FACTS.departure + timedelta(days=2))
    judge.delivered(Booking("R2", "HMX2", GUEST, [Version(booked, later)], []), 0, booked)
    judge.visit("R2", "P1", CLOSES + timedelta(hours=2))
    assert judge.score.arrivals == arrivals


def test_touching_a_strangers_code_is_seen(judge):
    judge.wrote(OPENS, "L1", "remove", "c9", "4711", by_us=True, made_by_us=False)
    judge.wrote(OPENS, "L1", "remove", "c8", "4711", by_us=False, made_by_us=False)
    assert judge.score.foreign_touched == 1


def test_digits_that_change_after_they_were_told_are_seen(judge):
    judge.wrote(OPENS - timedelta(days=3), "L1", "set", "c1", "1234", by_us=True, made_by_us=True)
    judge.mailed(mail(), sure=True)
    judge.wrote(OPENS, "L1", "update", "c1", "5678", by_us=True, made_by_us=True)
    assert judge.score.pins_changed_after_telling == 1
    judge.mailed(mail("7777", 2), sure=True)
    assert judge.score.pins_changed_after_telling == 1, "one change of one PIN"


def test_a_correction_for_a_lock_that_refused_is_listed_and_excused(judge):
    judge.mailed(mail(), sure=True)
    judge.called("L1", oracle.Call(OPENS - timedelta(hours=25), "set", "pin_taken"))
    judge.mailed(mail("7777", 2), sure=True)
    assert judge.score.content
    assert [cause.excused for cause in judge.causes] == [True]


def test_a_message_twice_is_seen_but_not_one_whose_answer_was_lost(judge):
    judge.mailed(mail(), sure=False)
    judge.mailed(mail(), sure=True)
    assert judge.score.content
    judge.mailed(mail(), sure=True)
    assert judge.score.messages_doubled == 1
    judge.mailed(mail(number=2), sure=True)
    assert judge.score.messages_doubled == 2


def test_two_codes_with_the_same_digits_are_seen(judge, door):
    door.codes = [code(), Held("c2", "1234", "Ben", Span(OPENS, CLOSES), True, settled=True)]
    judge.sample(OPENS)
    judge.sample(OPENS + timedelta(hours=6))
    assert judge.score.duplicate_codes == 1


def test_one_code_that_is_there_twice_for_hours_is_seen(judge, door):
    door.codes = [code(), Held("c2", "8888", "Ana Reyes", Span(OPENS, CLOSES), True, settled=True)]
    judge.sample(OPENS)
    assert judge.score.content
    judge.sample(OPENS + timedelta(hours=6))
    assert judge.score.duplicate_codes == 1


# -- the whole engine, with something doctored -----------------------------------------------------------------------


class Forgetful(WatchedLockApp):
    """Its doors go on opening for codes that it says are gone."""

    left: list[tuple[str, str]]

    def remove_code(self, account, lock, ref):
        self.left.append((lock, self.locks[lock].codes[ref].pin))
        return super().remove_code(account, lock, ref)

    def opens(self, lock, pin, at):
        return (lock, pin) in self.left or super().opens(lock, pin, at)

    def on_lock(self, lock, at):
        left = [Held("left", pin, None, None, True, settled=True) for where, pin in self.left if where == lock]
        return [*super().on_lock(lock, at), *left]


class Careless(WatchedLockApp):
    """Stands for an engine that deletes a stranger's code together with its own."""

    def remove_code(self, account, lock, ref):
        strangers = [code.ref for code in self.locks[lock].codes.values() if code.made_by == "hand"]
        if strangers:
            super().remove_code(account, lock, strangers[0])
        return super().remove_code(account, lock, ref)


class Hollow(WatchedLockApp):
    """Says that it has each code, and puts none on its locks once the simulation has begun."""

    def set_code(self, account, lock, spec):
        written = super().set_code(account, lock, spec)
        if self.oracle is not None and written.ref is not None and not spec.name.startswith("Backup"):
            self.locks[lock].codes[written.ref].on_lock = None
        return written


class Whimsical(WatchedLockApp):
    """Stands for an engine that gives a guest's code other digits while the stay lasts."""

    def list_codes(self, account, lock):
        for code in list(self.locks[lock].codes.values()):
            is_guests = code.made_by == "us" and code.window is not None and code.window.holds(self.now())
            if self.oracle is not None and is_guests and "pin" in self.locks[lock].capabilities.updates:
                other = CodeSpec(Pin(self.free_pin(lock)), code.name or "", code.window)
                super().update_code(account, lock, code.ref, other)
        return super().list_codes(account, lock)


class Stammering(mishaps.Post):
    """Delivers each mail twice, under two names."""

    def _deliver(self, email: Email, *, sure: bool) -> None:
        mishaps.Post._deliver(self, email, sure=sure)
        mishaps.Post._deliver(self, replace(email, message_id=f"<again-{email.message_id[1:]}"), sure=sure)


class Leaky(mishaps.Post):
    """Loses each mail."""

    def _deliver(self, email: Email, *, sure: bool) -> None:
        pass


def doctored(monkeypatch, rules: tuple[str, ...], **parts) -> Report:
    monkeypatch.setattr(world, "RULES", rules)
    monkeypatch.setattr(world, "SHARED_RULES", rules)
    for name, part in parts.items():
        monkeypatch.setattr(run, name, part)
    return run.simulate(TINY, "none", load())


def test_a_code_that_is_left_after_the_stay_is_caught(monkeypatch):
    monkeypatch.setattr(Forgetful, "left", [], raising=False)
    assert doctored(monkeypatch, ("slots",), WatchedLockApp=Forgetful).score.opened_outside_window > 0


def test_a_strangers_code_that_is_deleted_is_caught(monkeypatch):
    assert doctored(monkeypatch, ("standard",), WatchedLockApp=Careless).score.foreign_touched > 0


def test_a_code_that_was_never_put_on_is_caught(monkeypatch):
    assert doctored(monkeypatch, ("standard",), WatchedLockApp=Hollow).score.closed_unexplained > 0


def test_digits_that_are_changed_silently_are_caught(monkeypatch):
    assert doctored(monkeypatch, ("standard",), WatchedLockApp=Whimsical).score.pins_changed_after_telling > 0


def test_mail_that_is_sent_twice_is_caught(monkeypatch):
    assert doctored(monkeypatch, ("standard",), Post=Stammering).score.messages_doubled > 0


def test_mail_that_is_lost_is_caught(monkeypatch):
    report = doctored(monkeypatch, ("standard",), Post=Leaky)
    assert report.score.messages_lost > 0
    assert report.score.closed_unexplained > 0


def test_codes_of_the_wrong_window_are_caught(monkeypatch):
    class Late(WatchedLockApp):
        """Its locks open and close everything three hours late."""

        def add_lock(self, ref, **options):
            known = super().add_lock(ref, **options)
            self.shift_schedule(known, self.now(), self.now() + timedelta(days=400), timedelta(hours=3))
            return known

    report = doctored(monkeypatch, ("standard",), WatchedLockApp=Late)
    assert report.score.opened_outside_window > 0
    assert report.score.closed_unexplained > 0
