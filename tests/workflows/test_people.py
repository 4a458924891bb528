"""Who works for a host, when several change it at once; and the e-mails to people."""

import asyncio
from dataclasses import replace

import pytest

from lockbridge.assets import templates
from lockbridge.domain.people import PersonMail, Role
from lockbridge.messaging.console import ConsoleChannel
from lockbridge.messaging.render import Renderer
from lockbridge.storage import people
from lockbridge.workflows import account, sign_in
from lockbridge.workflows import people as working
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.people import Invitee
from lockbridge.workflows.sign_in import FirstOwner

PASSWORD = "a door for everyone"


async def add(engine, name: str, role: Role = Role.OWNER):
    new = FirstOwner("", name, f"{name.lower()}@example.com", PASSWORD)
    return await sign_in.add_person(engine.services, engine.host, new, role, engine.now)


async def test_two_owners_who_take_each_other_off_at_once_leave_one(crowd, database_url):
    engine, (one, other) = await crowd(database_url, 2)
    ana, ben = await add(engine, "Ana"), await add(engine, "Ben")
    done = await asyncio.gather(
        working.remove(one, engine.host, ana),
        working.change_role(other, engine.host, ben, Role.STAFF, engine.now),
        return_exceptions=True,
    )
    assert [type(each) for each in done if each is not None] == [BadInput]
    assert engine.ask(people.owners, engine.host) == 1


async def test_an_invitation_that_two_accept_at_once_lets_one_in(crowd, database_url):
    engine, processes = await crowd(database_url, 2)
    written: list[str] = []
    tools = replace(engine.services, channel=ConsoleChannel(written.append))
    row = await tools.database.ask(working.hosts.get_host, tools.vault, engine.host)
    who = Invitee("kim@example.com", Role.STAFF)
    await working.invite(tools, row, "Ana", who, "http://lockbridge.test", engine.now)
    token = written[0].partition("/invitation/")[2].split()[0]
    done = await asyncio.gather(
        *(
            working.join_new(process, token, name, PASSWORD, "a test", engine.now)
            for process, name in zip(processes, ("Kim", "Mallory"), strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, BadInput) for each in done) == 1
    assert len(engine.ask(people.members, tools.vault, engine.host)) == 1


async def test_who_is_a_member_by_the_time_they_accept_stays_what_they_are(start):
    engine = await start()
    ben = await add(engine, "Ben", Role.SUPPORT)
    row = await engine.services.database.ask(working.hosts.get_host, engine.services.vault, engine.host)
    who = Invitee("ben@example.com", Role.STAFF)
    await working.invite(engine.services, row, "Ana", who, "http://lockbridge.test", engine.now)
    await engine.write(lambda c: people.join(c, engine.host, ben, Role.OWNER, engine.now))
    token = engine.mail.sent[-1].text.partition("/invitation/")[2].split()[0]
    person = engine.ask(people.get, engine.services.vault, ben)
    await working.join_known(engine.services, token, person, engine.now)
    assert engine.ask(people.role_at, engine.host, ben) is Role.OWNER


async def test_recovering_lets_somebody_in_without_codes_and_ends_what_was_open(start):
    engine = await start()
    ana = await add(engine, "Ana")
    await engine.write(lambda c: people.set_totp(c, engine.services.vault, ana, "JBSWY3DPEHPK3PXP"))
    before = engine.ask(people.get, engine.services.vault, ana)
    begun = await sign_in.begin(engine.services, before, "a test", engine.now, passed=True)
    await account.recover(engine.services, "ANA@example.com", "another door for all", engine.now)
    assert await sign_in.known_by(engine.services, begun.token, engine.now) is None
    again = await sign_in.sign_in(engine.services, "ana@example.com", "another door for all", "", "a test", engine.now)
    assert again.session.passed


@pytest.mark.parametrize("kind", PersonMail)
def test_every_e_mail_to_people_says_who_and_where(kind):
    said = {
        "inviter": "Ana",
        "host_name": "Lake\nHomes",
        "role": "staff",
        "name": "Kim",
        "when": "now",
        "link": "https://x",
    }
    text = Renderer(templates()).render_person(kind, said)
    assert "\n" not in text.subject
    assert "https://x" in text.text
    assert {path.stem for path in (templates() / "email" / "person").iterdir()} == set(PersonMail)
