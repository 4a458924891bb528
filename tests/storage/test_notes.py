"""What is noted about keypads: two people, or a person and the engine, never decide about one code at once."""

import pytest
from sqlalchemy.exc import OperationalError

from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import LockRef
from lockbridge.storage import notes
from tests.storage.facts import NOW, furnish

DOOR = LockRef("front door")


def test_a_code_that_is_being_ticked_off_cannot_be_dropped_meanwhile(postgres_database, vault):
    with postgres_database.write() as connection:
        ana = furnish(connection, vault, "ana")
        note = notes.add(connection, vault, ana.host, ana.app, DOOR, CodeSpec(Pin("0451"), "Ida Example", None), NOW)
    with postgres_database.write() as person:
        assert notes.lock_one(person, vault, ana.host, note) is not None
        with postgres_database.connect() as engine:
            engine.exec_driver_sql("set lock_timeout = '50ms'")
            with pytest.raises(OperationalError, match="lock timeout"):
                notes.of_lock(engine, vault, ana.app, DOOR, for_update=True)
