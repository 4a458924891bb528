"""Who signs in, told at the command line."""

import pytest

from tests.commands.conftest import Command

PASSWORD = "a door for everyone"


@pytest.fixture
def host(lockbridge: Command, monkeypatch) -> None:
    assert lockbridge("host", "add", "Ana", "ana@example.com").code == 0
    monkeypatch.setenv("THEIR_PASSWORD", PASSWORD)


@pytest.mark.usefixtures("host")
def test_people_are_added_with_a_role_and_listed_without_their_password(lockbridge: Command):
    owner = lockbridge(
        "person", "add", "kim@example.com", "Kim Lee", "--role", "owner", "--password-env", "THEIR_PASSWORD", "--json"
    )
    assert owner.json == {"person": 1, "role": "owner"}
    helper = lockbridge("person", "add", "sam@example.com", "Sam", "--support", "--password-env", "THEIR_PASSWORD")
    assert "as support" in helper.out
    (kim, sam) = lockbridge("person", "list", "--json").json
    assert (kim["e_mail"], kim["works_for"], kim["support"]) == ("kim@example.com", ["1 Ana (owner)"], False)
    assert (sam["works_for"], sam["support"]) == ([], True)
    assert PASSWORD not in lockbridge("person", "list").out


@pytest.mark.usefixtures("host")
def test_a_password_that_is_missing_or_weak_adds_nobody(lockbridge: Command, monkeypatch):
    said = lockbridge("person", "add", "kim@example.com", "Kim")
    assert said.code == 2
    assert "--password-env" in said.err
    monkeypatch.setenv("THEIR_PASSWORD", "short")
    said = lockbridge("person", "add", "kim@example.com", "Kim", "--password-env", "THEIR_PASSWORD")
    assert said.code == 2
    assert "at least 10" in said.err
    said = lockbridge("person", "add", "kim@example.com", "Kim", "--role", "king", "--password-env", "THEIR_PASSWORD")
    assert "one of owner, manager, staff" in said.err
    assert "nobody signs in yet" in lockbridge("person", "list").out


@pytest.mark.usefixtures("host")
def test_support_is_given_and_taken_and_who_lost_the_way_in_gets_it_back(lockbridge: Command, monkeypatch):
    lockbridge("person", "add", "kim@example.com", "Kim", "--password-env", "THEIR_PASSWORD")
    assert lockbridge("person", "support", "Kim@Example.com").code == 0
    assert lockbridge("person", "list", "--json").json[0]["support"] is True
    lockbridge("person", "support", "kim@example.com", "--off")
    assert lockbridge("person", "list", "--json").json[0]["support"] is False
    monkeypatch.setenv("THEIR_PASSWORD", "another door for all")
    assert lockbridge("person", "recover", "kim@example.com", "--password-env", "THEIR_PASSWORD").code == 0
    nobody = lockbridge("person", "support", "nobody@example.com")
    assert nobody.code == 2
    assert "person list" in nobody.err
