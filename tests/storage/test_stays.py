"""Questions about stays."""

from datetime import date

import pytest

from lockbridge.storage import hosts, stays
from lockbridge.storage.due import next_due
from lockbridge.storage.stays import Contact
from tests.storage.facts import DAY, NOW, WINDOW, add_stay, furnish


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def plan(stay, *, mine=True, **more):
    return {"_id": stay, "_mine": mine, "code_id": None, "ends_at": None, "plan_at": None, "trouble": None, **more}


def test_no_host_sees_or_changes_anothers_stays(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        assert stays.get(connection, vault, bob.host, ana.stay) is None
        assert [one.id for one in stays.of_host(connection, vault, bob.host)] == [bob.stay]
        assert [one.id for one in stays.by_code(connection, vault, bob.host, "HMR1")] == [bob.stay]
        assert [one.id for one in stays.by_code(connection, vault, ana.host, "R1")] == [ana.stay]
        assert stays.find(connection, vault, bob.host, "generic", "R1").id == bob.stay
        assert stays.set_host_times(connection, bob.host, ana.stay, "12:00", None, NOW) is False
        assert stays.erase_guest(connection, bob.host, ana.stay, NOW) is False
        assert stays.names_with_several(connection, ana.host, ["Ida Example"], NOW) == set()
        assert stays.adopt_orphans(connection, bob.host, "generic", "P9", bob.place, NOW) == 0


def test_the_second_of_two_who_store_one_reservation_is_told_to_find_it(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        again = {"property_id": ana.place, "property_ref": "P1", "platform": "generic", "external_id": "R1"}
        said = again | {"reservation_code": "HMR1", "status": "confirmed", "arrival": date(2026, 6, 11)}
        said |= {"departure": date(2026, 6, 13), "raw_status": "", "created_at": NOW, "plan_at": NOW}
        assert stays.add(connection, vault, ana.host, said, Contact()) is None


def test_imported_stays_are_like_any_other(database, vault, two):
    ana, _ = two
    usual = {"property_id": ana.place, "property_ref": "P1", "platform": "generic", "status": "confirmed"}
    usual |= {"arrival": date(2026, 6, 11), "departure": date(2026, 6, 13), "created_at": NOW, "plan_at": NOW}
    contact = Contact("+15550100", None, "guest-7")
    rows = [({**usual, "external_id": name, "reservation_code": f"HM{name}"}, contact) for name in ("I1", "I2")]
    with database.write() as connection:
        stays.add_many(connection, vault, ana.host, rows)
        for name in ("I1", "I2"):
            found = stays.find(connection, vault, ana.host, "generic", name)
            assert (found.arrival, found.departure) == (date(2026, 6, 11), date(2026, 6, 13))
            assert (found.contact, found.created_at, found.raw_status) == (contact, NOW, "")


def test_stays_are_planned_once_and_again_when_something_changes(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        assert [one for one, _ in stays.due_for_planning(connection, NOW, 10)] == [ana.stay, bob.stay]
        stays.planned(connection, [plan(ana.stay), plan(bob.stay, plan_at=NOW + DAY)])
        assert stays.due_for_planning(connection, NOW, 10) == []
        assert next_due(connection).book == NOW + DAY
        assert stays.replan_properties(connection, [ana.place], NOW) == 1
        stays.replan(connection, [bob.stay], NOW)
        assert len(stays.due_for_planning(connection, NOW, 10)) == 2


def test_a_stay_that_was_not_found_due_keeps_the_time_at_which_it_is_to_be_planned(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        stays.planned(connection, [plan(ana.stay, mine=False), plan(bob.stay)])
        stays.planned(connection, [plan(bob.stay, mine=False, plan_at=NOW + DAY)])
        assert [one for one, _ in stays.due_for_planning(connection, NOW, 10)] == [ana.stay]
        assert [one for one, _ in stays.due_for_planning(connection, NOW + DAY, 10)] == [ana.stay, bob.stay]


def test_stays_that_are_over_are_not_planned_again(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        stays.planned(connection, [plan(ana.stay, ends_at=WINDOW.ends)])
        assert stays.replan_properties(connection, [ana.place], WINDOW.ends) == 0
        assert stays.of_host(connection, vault, ana.host, after=WINDOW.ends) == []


def test_two_processes_never_plan_one_stay(postgres_database, vault):
    with postgres_database.write() as connection:
        furnish(connection, vault, "ana")
    with postgres_database.write() as mine, postgres_database.write() as other:
        assert len(stays.due_for_planning(mine, NOW, 10)) == 1
        assert stays.due_for_planning(other, NOW, 10) == []


def test_a_guest_with_two_live_stays_is_known_as_such(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        add_stay(connection, vault, ana.host, ana.place, "R2", guest_name="Ida Example")
        assert stays.names_with_several(connection, ana.host, ["Ida Example", "Max"], NOW) == {"Ida Example"}
        assert stays.names_with_several(connection, ana.host, [], NOW) == set()


def test_a_stay_without_a_property_is_adopted(database, vault, two):
    ana, _ = two
    with database.write() as connection:
        orphan = add_stay(connection, vault, ana.host, None, "R9", property_ref="P9", plan_at=None)
        assert stays.adopt_orphans(connection, ana.host, "generic", "P9", ana.place, NOW) == 1
        assert stays.get(connection, vault, ana.host, orphan).property == ana.place
        assert hosts.find_property(connection, ana.host, "generic", "P9") is None


def test_stays_that_share_a_code_are_found_where_they_are(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        stays.planned(connection, [plan(ana.stay, code_id=ana.code), plan(bob.stay, code_id=ana.code)])
        assert stays.properties_sharing_codes(connection, [bob.stay]) == {ana.place, bob.place}
        assert stays.properties_sharing_codes(connection, []) == set()


def test_guests_are_sealed_and_erased(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        stored = connection.exec_driver_sql("SELECT contact_sealed FROM stay").fetchall()
        assert b"5550101234" not in bytes(stored[0][0])
        assert stays.get(connection, vault, ana.host, ana.stay).contact.phone == "+15550101234"
        assert "5550101234" not in repr(stays.get(connection, vault, ana.host, ana.stay))
        stays.planned(connection, [plan(ana.stay, ends_at=NOW)])
        assert stays.erase_guests(connection, NOW, NOW, 10) == []
        assert stays.erase_guests(connection, NOW + DAY, NOW, 10) == [ana.stay]
        assert stays.erase_guests(connection, NOW + DAY, NOW, 10) == []
        gone = stays.get(connection, vault, ana.host, ana.stay)
        assert (gone.guest_name, gone.contact) == (None, Contact())
        assert stays.get(connection, vault, bob.host, bob.stay).guest_name == "Ida Example"
