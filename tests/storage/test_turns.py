"""Turns at writing to a SQLite file."""

import os
import threading

import pytest

from lockbridge.storage import turns
from lockbridge.storage.turns import Turns

fcntl = pytest.importorskip("fcntl")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "data.sqlite3"


@pytest.fixture
def order():
    return []


def waiting(file, order, name):
    """Somebody else, who has come to stand in the door."""

    def come():
        with Turns(file).turn():
            order.append(name)

    other = threading.Thread(target=come)
    other.start()
    while not _is_locked(file.with_name(f"{file.name}-door")):
        pass
    return other


def _is_locked(path):
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def test_one_at_a_time_has_the_turn(file, order):
    with Turns(file).turn():
        other = waiting(file, order, "the other")
        order.append("we")
    other.join()
    assert order == ["we", "the other"]


def test_who_waits_comes_before_who_has_just_had_a_turn(file, order):
    ours = Turns(file)
    with ours.turn():
        other = waiting(file, order, "the other")
    with ours.turn():
        order.append("we, again")
    other.join()
    assert order == ["the other", "we, again"]


@pytest.fixture
def away(monkeypatch):
    """How long was waited, in seconds, without waiting."""
    slept = []
    monkeypatch.setattr(turns.time, "sleep", slept.append)
    monkeypatch.setattr(turns, "AWAY", 1e9)
    return slept


def test_who_gives_way_stays_away_after_a_turn_that_was_waited_for(file, order, away):
    ours = Turns(file, gives_way=True)
    with ours.turn():
        other = waiting(file, order, "the other")
    other.join()
    away.clear()
    with ours.turn():
        assert away == [pytest.approx(turns.PATIENCE_SECONDS, abs=1)]


def test_where_nobody_waits_nobody_gives_way(file, away):
    ours = Turns(file, gives_way=True)
    for _ in range(2):
        with ours.turn():
            assert not away


def test_a_turn_ends_with_an_error_too(file):
    ours = Turns(file)
    with pytest.raises(LookupError), ours.turn():
        raise LookupError
    assert not _is_locked(file.with_name(f"{file.name}-room"))


def test_somebody_who_hangs_keeps_nobody_for_ever(file, order, monkeypatch):
    with Turns(file).turn():
        monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.0)
        with Turns(file).turn():
            order.append("we, nevertheless")
    assert order == ["we, nevertheless"]


def test_where_no_file_can_be_made_everybody_goes_ahead(tmp_path, order):
    with Turns(tmp_path / "no such folder" / "data.sqlite3").turn():
        order.append("we")
    assert order == ["we"]
