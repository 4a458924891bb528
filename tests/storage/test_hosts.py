"""Questions about hosts and what they connected."""

import pytest

from lockbridge.domain.settings import CodeSettings
from lockbridge.storage import hosts
from tests.storage.facts import NOW, furnish


@pytest.fixture
def two(database, vault):
    with database.write() as connection:
        return furnish(connection, vault, "ana"), furnish(connection, vault, "bob")


def test_what_is_asked_for_one_host_never_shows_anothers(database, vault, two):
    ana, bob = two
    with database.read() as connection:
        assert hosts.get_host(connection, vault, ana.host).name == "ana"
        assert [row.id for row in hosts.properties_of_host(connection, ana.host)] == [ana.place]
        assert [ref[0] for ref in hosts.refs_of_host(connection, ana.host)] == [ana.place]
        assert [row.id for row in hosts.lock_apps_of_host(connection, vault, ana.host)] == [ana.app]
        assert [row[0] for row in hosts.endpoints_of_host(connection, ana.host)] == [ana.endpoint]
        assert hosts.find_property(connection, ana.host, "generic", "P1") == ana.place
        assert hosts.find_property(connection, bob.host, "generic", "P1") == bob.place
        assert hosts.matches(connection, [ana.place]) == [(ana.place, ana.lock)]
        assert [row.id for row in hosts.all_hosts(connection, vault)] == [ana.host, bob.host]


def test_one_host_can_change_nothing_of_anothers(database, two):
    ana, bob = two
    with database.write() as connection:
        hosts.change_property(connection, bob.host, ana.place, {"name": "Bob's now"})
        assert hosts.unmatch(connection, bob.host, ana.place, ana.lock) is False
        assert hosts.properties(connection, [ana.place])[ana.place].name == "ana's house"
        assert hosts.matches(connection, [ana.place]) == [(ana.place, ana.lock)]


def test_secrets_are_sealed_and_do_not_show_themselves(database, vault, two):
    ana, _ = two
    with database.read() as connection:
        endpoint = hosts.find_endpoint(connection, vault, b"ana's token")
        (app,) = hosts.lock_apps_of_host(connection, vault, ana.host)
        stored = connection.exec_driver_sql("SELECT settings_sealed FROM lock_app").fetchall()
    assert endpoint.secret == "whsec"
    assert app.settings["token"] == "ana's"
    assert "whsec" not in repr(endpoint)
    assert "ana's" not in repr(app)
    assert b"ana's" not in bytes(stored[0][0])


def test_an_address_nobody_made_is_not_found(database, vault, two):
    with database.read() as connection:
        assert hosts.find_endpoint(connection, vault, b"nobody's") is None
        assert hosts.get_host(connection, vault, 999) is None
        assert hosts.find_property(connection, two[0].host, "generic", "P99") is None


def test_a_platforms_name_for_a_property_can_move_to_another_property(database, two):
    ana, _ = two
    usual = {"zone": "UTC", "country": "US", "check_in": "15:00", "check_out": "10:00", "settings": {}}
    with database.write() as connection:
        other = hosts.add_property(connection, ana.host, {"name": "Annex", **usual}, NOW)
        hosts.add_property_ref(connection, ana.host, other, "generic", "P1")
        assert hosts.find_property(connection, ana.host, "generic", "P1") == other


def test_the_nearest_setting_wins(database, two):
    ana, _ = two
    with database.write() as connection:
        hosts.set_host_settings(connection, ana.host, {"pin_length": 6, "backups": False})
        hosts.change_property(connection, ana.host, ana.place, {"settings": {"pin_length": 5}})
        chosen = hosts.host_settings(connection, [ana.host])[ana.host]
        facts = hosts.properties(connection, [ana.place])[ana.place].facts(CodeSettings().with_overrides(chosen), ())
    assert (facts.settings.pin_length, facts.settings.backups) == (5, False)


def test_an_account_that_answers_again_has_its_locks_looked_after_at_once(database, vault, two):
    ana, bob = two
    with database.write() as connection:
        hosts.account_needs_person(connection, ana.app, "refused")
        hosts.block_account(connection, ana.app, NOW)
        hosts.account_connected(connection, ana.app, NOW)
        app = hosts.lock_apps(connection, vault, [ana.app, bob.app])[ana.app]
    assert (app.state, app.state_detail, app.blocked_until) == ("connected", None, None)
