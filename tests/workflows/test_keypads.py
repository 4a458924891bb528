"""Locks without connection, the whole way: the host is told what to program, and says when it is done."""

import pytest

from lockbridge.accounts.notebook import AccountNotebook
from lockbridge.domain.ids import LockRef, NoteId
from lockbridge.storage import notes, outbox
from lockbridge.workflows import clean_up, connect, notebook
from tests.workflows.engine import DAY, HOST_EMAIL, HOUR, MINUTE, OPENS, Engine

DOOR = LockRef("front door")


async def a_host_with_a_keypad(start, *, at, **answers: str) -> Engine:
    engine = await start({"gate": "standard"}, at=at, settings={"backups": False})
    await engine.unmatch("gate")
    engine.account, rows = await connect.add_lock_app(
        engine.services, engine.host, "manual", "Keypads", {"locks": "Front door", **answers}, engine.now
    )
    engine.locks["Front door"] = rows[0].id
    await engine.match("Front door")
    return engine


def work(engine: Engine):
    return engine.ask(notes.to_do, engine.services.vault, engine.host)


async def test_the_host_is_told_what_to_program_and_the_guest_only_once_it_was_ticked_off(start):
    engine = await a_host_with_a_keypad(start, at=OPENS - 5 * DAY)
    await engine.book()
    await engine.until(OPENS - 3 * DAY - MINUTE)
    assert work(engine) == []
    await engine.until(OPENS - 3 * DAY + 5 * MINUTE)
    (task,) = work(engine)
    (mail,) = [mail for mail in engine.mails(HOST_EMAIL) if "Keypads to program" in mail.subject]
    assert f"no. {task.id} – Front door: program the code {engine.pin()} " in mail.text
    await engine.until(OPENS - 20 * HOUR)
    assert engine.told_guest("access_code") == []
    assert await notebook.done(engine.services, engine.host, task.id, engine.now)
    await engine.passes(5 * MINUTE)
    assert engine.pin() in engine.told_guest("access_code")[0].text
    assert work(engine) == []


async def test_after_the_stay_the_host_is_told_to_take_the_code_off_and_it_counts_until_they_did(start):
    engine = await a_host_with_a_keypad(start, at=OPENS - DAY)
    await engine.book()
    await engine.passes(5 * MINUTE)
    await notebook.done(engine.services, engine.host, work(engine)[0].id, engine.now)
    await engine.passes(5 * DAY)
    (task,) = work(engine)
    assert task.state == notes.TO_REMOVE
    assert any("take the code" in mail.text for mail in engine.mails(HOST_EMAIL))
    await notebook.done(engine.services, engine.host, task.id, engine.now)
    await engine.passes(10 * MINUTE)
    assert work(engine) == []
    assert engine.ask(notes.of_lock, engine.services.vault, engine.account, DOOR) == []


async def cancel(engine: Engine) -> None:
    await engine.book(happening="cancelled", status="cancelled", changed_at=f"{engine.now:%Y-%m-%dT%H:%M:%SZ}")


async def test_r30_a_host_who_was_told_of_a_code_is_told_when_it_is_not_wanted_any_more(start):
    """They may have programmed it already without saying so: it would stay at the keypad for good."""
    engine = await a_host_with_a_keypad(start, at=OPENS - DAY)
    await engine.book()
    await engine.passes(5 * MINUTE)
    pin = engine.pin()
    await cancel(engine)
    await engine.passes(10 * MINUTE)
    (task,) = work(engine)
    assert task.state == notes.UNWANTED
    assert f"the code {pin} (Ida Example) is not wanted any more" in engine.mails(HOST_EMAIL)[-1].text
    assert await AccountNotebook(notebook.Account(engine.host, engine.account), engine.services).codes(DOOR) == []
    await notebook.done(engine.services, engine.host, task.id, engine.now)
    assert engine.ask(notes.of_lock, engine.services.vault, engine.account, DOOR) == []


async def test_a_stay_cancelled_before_the_host_was_told_is_simply_dropped(start):
    engine = await a_host_with_a_keypad(start, at=OPENS - DAY)
    await engine.book()
    assert len(work(engine)) == 1
    await cancel(engine)
    await engine.passes(10 * MINUTE)
    assert work(engine) == []
    assert not any("Keypads to program" in mail.subject for mail in engine.mails(HOST_EMAIL))


@pytest.mark.parametrize(
    ("keeps_times", "said"),
    [
        ("yes", "to open from Sun 14 Jun 2026 16:00 until Tue 16 Jun 2026 11:00 (America/New_York)"),
        ("no", "by Sun 14 Jun 2026 16:00 (America/New_York): you are told when it is to come off"),
    ],
)
async def test_the_host_reads_when_in_the_time_of_the_place(start, keeps_times, said):
    engine = await a_host_with_a_keypad(start, at=OPENS - DAY, keeps_times=keeps_times)
    await engine.book()
    await engine.passes(5 * MINUTE)
    (mail,) = [mail for mail in engine.mails(HOST_EMAIL) if "Keypads to program" in mail.subject]
    assert said in mail.text


async def test_r45_digits_in_e_mails_and_notes_about_keypads_are_erased_30_days_after(start):
    engine = await a_host_with_a_keypad(start, at=OPENS - DAY)
    await engine.book()
    await engine.passes(5 * MINUTE)
    await cancel(engine)
    await engine.passes(10 * MINUTE)
    vault = engine.services.vault

    def kept():
        sent = [row.text for row in engine.ask(outbox.of_host, vault, engine.host) if row.kind == "keypad_work"]
        return [text for text in sent if text], [note.pin for note in work(engine)]

    engine.clock.advance(29 * DAY)
    await clean_up.clean_up(engine.services, engine.now)
    assert len(kept()[0]) == 2
    engine.clock.advance(2 * DAY)
    await clean_up.clean_up(engine.services, engine.now)
    assert kept() == ([], [])


async def test_work_of_another_host_or_work_done_already_cannot_be_ticked_off(start):
    engine = await a_host_with_a_keypad(start, at=OPENS - DAY)
    await engine.book()
    await engine.passes(5 * MINUTE)
    (task,) = work(engine)
    stranger = await connect.add_host(engine.services, "Other", "other@example.com", engine.now)
    assert await notebook.done(engine.services, stranger, task.id, engine.now) is None
    assert await notebook.done(engine.services, engine.host, task.id, engine.now) is not None
    assert await notebook.done(engine.services, engine.host, task.id, engine.now) is None
    assert await notebook.done(engine.services, engine.host, NoteId(999), engine.now) is None
