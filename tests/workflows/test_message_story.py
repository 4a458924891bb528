"""One guest, from a code that would not go on the lock to the door, with a mail server that is away for an hour."""

import asyncio
from collections import Counter
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from lockbridge.messaging.email import Mailer
from providers.simulator import Fault, Verb
from tests.workflows.engine import CLOSES, DAY, GUEST_EMAIL, HOST_EMAIL, HOUR, MINUTE, OPENS


class Post:
    """A mail server that is really started and stopped, always on the same port, and what it was given."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the name aiosmtpd calls
        self.taken.append(message_from_bytes(envelope.original_content, policy=policy.default))
        return "250 OK"

    async def starts(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.example", loop=loop), "127.0.0.1", self.port
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stops(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._server = None

    def to(self, address: str) -> list[Any]:
        return [mail for mail in self.taken if mail["To"] == address]


@pytest.fixture
async def post():
    server = Post()
    await server.starts()
    yield server
    await server.stops()


def text(mail: Any) -> str:
    return mail.get_body(("plain",)).get_content()


async def test_r35_r36_r38_held_refused_backup_and_one_correction_while_the_mail_server_is_away(start, post):
    engine = await start(at=OPENS - 25 * HOUR)
    engine.world.mail = Mailer(host="127.0.0.1", port=post.port, sender="Ana's Homes <doors@homes.example>")
    await engine.restart()

    # The rule is due and the code is not on the lock: the message is held, and goes with the confirmation.
    engine.app.offline("front")
    await engine.book()
    await engine.until(OPENS - 23 * HOUR)
    assert post.to(GUEST_EMAIL) == []
    engine.app.online("front")
    await engine.until(OPENS - 21 * HOUR)
    (told,) = post.to(GUEST_EMAIL)
    pin = engine.pin(lock="front")
    assert pin in text(told)

    # Somebody takes the code off and gives its digits to the cleaner: the lock refuses ours, then every other try.
    (code,) = engine.held()
    engine.app.delete_by_hand("front", code.ref)
    engine.app.add_by_hand("front", "Cleaner", pin)
    engine.app.script("front", Fault.PASS, *[Fault.REJECTED] * 6, on=[Verb.SET])
    await engine.look_at()
    await engine.until(OPENS - 9 * HOUR)
    other = engine.pin(lock="front")
    assert other != pin
    assert len(post.to(GUEST_EMAIL)) == 1

    # The check at eight gives a backup while the mail server is away; its message waits for it.
    await post.stops()
    await engine.until(OPENS - 7 * HOUR - 30 * MINUTE)
    assert len(post.to(GUEST_EMAIL)) == 1
    assert [row.state for row in engine.view().messages if row.kind == "backup_code"] == ["waiting"]
    await post.starts()
    await engine.until(OPENS - 7 * HOUR)
    given = text(post.to(GUEST_EMAIL)[1])
    (backup,) = [pin for pin in engine.backup_pins() if pin in given]
    assert engine.opens("front", backup, at=OPENS + HOUR)

    # The lock takes the new digits at last: one correction, and the door opens with what the guest was told.
    await engine.until(OPENS + HOUR)
    assert engine.opens("front", other)
    await engine.until(CLOSES + DAY)
    corrections = [mail for mail in post.to(GUEST_EMAIL) if "has changed" in mail["Subject"]]
    assert [other in text(mail) for mail in corrections] == [True]
    subjects = [mail["Subject"] for mail in post.to(GUEST_EMAIL)]
    assert subjects == [
        "Your door code for Lake House",
        "Your door code for Lake House",
        "Your door code for Lake House has changed",
        "Thank you for staying at Lake House",
    ]

    # Nothing lost, nothing twice.
    assert all(count == 1 for count in Counter(mail["Message-ID"] for mail in post.taken).values())
    assert {row.state for row in engine.view().messages} == {"sent"}
    assert post.to(HOST_EMAIL)
