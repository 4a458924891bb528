"""Full locks, previews, back-to-back stays, staff, and what is forgotten in time."""

from dataclasses import replace
from datetime import timedelta

import pytest

from lockbridge.domain.placement import Verb
from lockbridge.storage import codes, hosts, inbox, journal, stays
from lockbridge.workflows import book, clean_up, connect, receive, resync, staff
from lockbridge.workflows.connect import BadInput
from providers.simulator import Verb as Asked
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, NOW, OPENS

NO_BACKUPS = {"backups": False}


async def test_r26_on_a_full_lock_the_soonest_stays_win_the_others_wait_and_the_host_is_told_the_numbers(start):
    engine = await start(at=OPENS - 2 * DAY, settings=NO_BACKUPS)
    engine.app.fill("front", leave=1)
    await engine.book(id="R2", code="HM2", arrival="2026-06-15", departure="2026-06-16", guest="Max Other")
    assert engine.statuses("R2") == {"front": "scheduled"}
    await engine.book(departure="2026-06-15")
    await engine.passes(MINUTE)
    assert engine.statuses() == {"front": "scheduled"}
    assert engine.statuses("R2") == {"front": "failed"}
    (told,) = engine.told_host("lock_full")
    assert "100" in told.text
    await engine.until(CLOSES - DAY - MINUTE)
    assert engine.opens("front")
    await engine.until(OPENS + DAY + MINUTE)
    assert engine.opens("front", ref="R2")
    assert len(engine.app.holds("front")) <= 100


async def test_r26_a_guest_in_the_house_is_never_displaced(start):
    engine = await start(at=OPENS - HOUR, settings=NO_BACKUPS)
    engine.app.fill("front", leave=1)
    await engine.book()
    await engine.until(OPENS + HOUR)
    await engine.book(id="R2", code="HM2", arrival="2026-06-14", guest="Max Other")
    await engine.passes(HOUR)
    assert engine.opens("front")
    assert engine.statuses("R2") == {"front": "failed"}


async def test_r26_when_a_slot_is_free_the_next_one_waiting_gets_it_and_the_warning_ends(start):
    engine = await start(at=OPENS - 2 * DAY, settings=NO_BACKUPS)
    strangers = engine.app.fill("front")
    await engine.book()
    assert engine.statuses() == {"front": "failed"}
    assert engine.alarms() == {"lock_full"}
    engine.app.delete_by_hand("front", strangers[0])
    await engine.passes(DAY)
    assert engine.statuses() == {"front": "scheduled"}
    assert engine.alarms() == set()


@pytest.mark.parametrize("rules", ["standard", "slots"])
async def test_r47_a_preview_says_what_would_be_done_and_does_nothing(start, rules):
    engine = await start({"front": rules}, at=OPENS - MINUTE, settings=NO_BACKUPS)
    await engine.say(Booking())
    await receive.read_deliveries(engine.services, engine.now)
    await book.book_due(engine.services, engine.now)
    engine.tap.calls.clear()
    row, plan = await connect.preview_lock(engine.services, engine.host, engine.locks["front"], engine.now)
    assert [action.verb for action in plan.actions] == [Verb.SET]
    assert row.name == "front"
    assert {verb for verb, _ in engine.tap.calls} == {"list_codes"}
    assert engine.app.holds("front") == ()
    assert engine.app.calls[Asked.SET] == 0
    await engine.passes(MINUTE)
    _, plan = await connect.preview_lock(engine.services, engine.host, engine.locks["front"], engine.now)
    assert plan.actions == ()


async def test_r47_a_lock_of_another_host_is_not_shown(start):
    engine = await start()
    other = await connect.add_host(engine.services, "Bob", "bob@example.com", engine.now)
    with pytest.raises(BadInput, match="no lock"):
        await connect.preview_lock(engine.services, other, engine.locks["front"], engine.now)


async def _back_to_back(engine):
    await engine.book()
    await engine.book(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-18")


async def test_r44_back_to_back_stays_of_one_guest_keep_one_pin_and_one_window_without_a_gap(start):
    engine = await start(at=OPENS - DAY)
    await _back_to_back(engine)
    pin = engine.pin()
    assert engine.pin("R2") == pin
    assert [code.pin for code in engine.held()] == [pin]
    for moment in (OPENS, CLOSES - MINUTE, CLOSES + HOUR, CLOSES + 2 * DAY - MINUTE):
        assert engine.opens("front", at=moment)
    assert not engine.opens("front", at=CLOSES + 2 * DAY)
    await engine.until(CLOSES + 3 * DAY)
    assert len(engine.told_guest("access_code")) == 1
    assert len(engine.told_guest("extended", "R2")) == 1


async def test_r44_when_one_of_them_is_cancelled_the_other_keeps_the_pin(start):
    engine = await start(at=OPENS - DAY)
    await _back_to_back(engine)
    pin = engine.pin()
    cancelled = {"happening": "cancelled", "status": "cancelled"}
    await engine.book(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-18", **cancelled)
    assert engine.opens("front", pin, at=CLOSES - MINUTE)
    assert not engine.opens("front", pin, at=CLOSES + HOUR)
    await engine.until(OPENS)
    assert engine.pin() == pin
    assert engine.opens("front")


async def test_r44_when_the_first_is_cancelled_the_second_keeps_the_pin_for_its_own_dates(start):
    engine = await start(at=OPENS - DAY)
    await _back_to_back(engine)
    pin = engine.pin()
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(MINUTE)
    assert engine.pin("R2") == pin
    assert not engine.app.opens("front", pin, OPENS)
    assert engine.app.opens("front", pin, CLOSES + 6 * HOUR)


async def test_r44_a_change_while_the_second_stay_goes_on_leaves_the_digits_as_they_are(start):
    engine = await start(at=OPENS - DAY)
    await _back_to_back(engine)
    pin = engine.pin()
    await engine.until(CLOSES + 2 * HOUR)
    assert engine.opens("front", pin)
    await engine.book(id="R2", code="HM2", happening="changed", arrival="2026-06-16", departure="2026-06-19")
    await engine.passes(MINUTE)
    assert engine.pin("R2") == pin
    assert engine.opens("front", pin)
    assert len(engine.mails()) <= 2


async def test_r44_when_the_second_moves_elsewhere_the_first_keeps_its_code(start):
    engine = await start({"front": "standard", "boat": "standard"}, at=OPENS - DAY)
    other = await engine.add_property("Boat House", "prop-8")
    await engine.unmatch("boat")
    await engine.match("boat", other)
    await _back_to_back(engine)
    pin = engine.pin()
    await engine.passes(MINUTE)
    await engine.book(id="R2", code="HM2", home="prop-8", arrival="2026-06-16", departure="2026-06-18")
    await engine.passes(MINUTE)
    assert engine.pin() == pin
    assert engine.opens("front", at=OPENS)
    assert not engine.opens("front", at=CLOSES + HOUR)
    assert engine.opens("boat", ref="R2", at=CLOSES + 6 * HOUR)
    assert not engine.app.opens("boat", engine.pin("R2", "boat"), OPENS)


async def test_r42_a_staff_code_works_on_the_chosen_locks_in_its_window_and_is_then_taken_off(start):
    engine = await start({"front": "standard", "side": "nuki", "back": "standard"})
    chosen = [engine.locks["front"], engine.locks["side"]]
    new = staff.NewStaffCode("Cleaner Ada", chosen, NOW + DAY, NOW + 3 * DAY)
    code = await staff.add(engine.services, engine.host, new, engine.now)
    await engine.passes(10 * MINUTE)
    (front,), (side,) = engine.held("front"), engine.held("side")
    assert front.pin == side.pin
    assert (front.name, len(front.pin)) == ("Cleaner Ada", 6)
    assert engine.held("back") == []
    assert engine.app.opens("front", front.pin, NOW + 2 * DAY)
    assert not engine.app.opens("front", front.pin, NOW + HOUR)
    assert not engine.app.opens("front", front.pin, NOW + 3 * DAY)
    await engine.until(NOW + 4 * DAY + HOUR)
    assert engine.held("front") == engine.held("side") == []
    assert await staff.revoke(engine.services, engine.host, code, engine.now) is False


async def test_r42_a_staff_code_ends_after_a_year_unless_told_otherwise_and_can_be_revoked(start):
    engine = await start()
    usual = staff.NewStaffCode("Ada", [engine.locks["front"]], NOW)
    standing = staff.NewStaffCode("Eve", [engine.locks["front"]], NOW, standing=True)
    assert usual.window().ends == NOW + timedelta(days=365)
    code = await staff.add(engine.services, engine.host, standing, engine.now)
    await engine.work()
    (held,) = engine.held()
    assert held.window is None
    assert await staff.revoke(engine.services, engine.host, code, engine.now)
    await engine.work()
    assert engine.held() == []


async def test_r42_a_staff_code_needs_locks_of_its_host(start):
    engine = await start()
    other = await connect.add_host(engine.services, "Bob", "bob@example.com", engine.now)
    with pytest.raises(BadInput, match="locks of this host"):
        await staff.add(engine.services, other, staff.NewStaffCode("Ada", [engine.locks["front"]], NOW), engine.now)
    mine = await staff.add(
        engine.services, engine.host, staff.NewStaffCode("Ada", [engine.locks["front"]], NOW), engine.now
    )
    assert await staff.revoke(engine.services, other, mine, engine.now) is False


async def test_r10_r42_a_guest_never_gets_the_digits_of_a_staff_or_backup_code(start):
    engine = await start(at=OPENS - DAY)
    new = staff.NewStaffCode("Ada", [engine.locks["front"]], engine.now, standing=True)
    await staff.add(engine.services, engine.host, new, engine.now)
    await engine.work()
    (ada,) = engine.held()
    taken = [ada.pin, *engine.backup_pins()]
    for number, pin in enumerate(taken):
        await engine.book(id=f"R{number}", code=f"HM{number}", phone=f"+1555010{pin}", arrival="2026-06-14")
        assert engine.pin(f"R{number}") not in taken


async def test_r45_a_pin_is_erased_30_days_after_its_code_is_gone_and_the_guest_400_days_after_the_stay(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book()
    await engine.until(CLOSES + 2 * DAY)
    vault, stay = engine.services.vault, engine.stay()
    assert engine.view().code.pin is not None
    engine.clock.set(CLOSES + 29 * DAY)
    assert (await clean_up.clean_up(engine.services, engine.now)).pins == 0
    engine.clock.set(CLOSES + 33 * DAY)
    assert (await clean_up.clean_up(engine.services, engine.now)).pins >= 1
    assert engine.view().code.pin is None
    assert all(message.text is None for message in engine.view().messages)
    engine.clock.set(CLOSES + 399 * DAY)
    assert engine.stay().guest_name == "Ida Example"
    engine.clock.set(CLOSES + 401 * DAY)
    assert (await clean_up.clean_up(engine.services, engine.now)).guests == 1
    gone = engine.ask(stays.get, vault, engine.host, stay.id)
    assert (gone.guest_name, gone.contact.phone, gone.contact.email) == (None, None, None)
    kept = engine.view()
    assert kept.history
    assert "Ida" not in engine.whys() + kept.code.name + "".join(line.code_name for line in kept.access)
    assert all(not row.body for row in engine.ask(inbox.of_host, vault, engine.host))


async def test_r45_a_guest_is_erased_at_once_on_request(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book()
    await engine.until(CLOSES + 2 * DAY)
    stay = engine.stay()
    other = await connect.add_host(engine.services, "Bob", "bob@example.com", engine.now)
    assert await clean_up.erase_guest(engine.services, other, stay.id, engine.now) is False
    assert await clean_up.erase_guest(engine.services, engine.host, stay.id, engine.now)
    view = engine.view()
    assert view.stay.guest_name is None
    assert all(message.text is None for message in view.messages)
    assert "Ida" not in view.code.name + "".join(line.code_name for line in view.access)
    assert "erased" in [entry.kind for entry in view.history]


async def test_r45_the_digits_of_codes_without_end_are_erased_too_when_they_are_gone(start):
    engine = await start()
    new = staff.NewStaffCode("Ada", [engine.locks["front"]], engine.now, standing=True)
    code = await staff.add(engine.services, engine.host, new, engine.now)
    await engine.work()
    await staff.revoke(engine.services, engine.host, code, engine.now)
    await engine.work()
    engine.clock.advance(31 * DAY)
    await clean_up.clean_up(engine.services, engine.now)
    assert engine.ask(codes.by_ids, engine.services.vault, [code])[code].pin is None


async def test_what_makes_no_sense_is_refused_with_what_where_and_what_to_do(start):
    engine = await start()
    services, now = engine.services, engine.now
    for email in ("nobody", "@", "a b@example.com"):
        with pytest.raises(BadInput, match=r"write it like you@example\.com"):
            await connect.add_host(services, "Bob", email, now)
    with pytest.raises(BadInput, match="the host's name must have 1 to 200 characters"):
        await connect.add_host(services, " ", "bob@example.com", now)
    for wrong, why in (
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"check_in": "quarter past"}, "no time of day for check-in"),
        ({"settings": {"pin_mode": "tarot"}}, "settings make no sense"),
        ({"name": "x" * 201}, "1 to 200 characters"),
    ):
        with pytest.raises(BadInput, match=why):
            await connect.add_property(
                services, engine.host, connect.NewProperty(**{"name": "A", "zone": "UTC"} | wrong), [], now
            )
    with pytest.raises(BadInput, match="settings make no sense"):
        await connect.change_settings(services, engine.host, engine.place, {"pin_mode": "tarot"}, now)
    with pytest.raises(BadInput, match="no booking platform"):
        await connect.add_address(services, engine.host, "telepathy", None, now)
    with pytest.raises(BadInput, match="the secret cannot be used"):
        await connect.add_address(services, engine.host, "generic", "not base64 !", now)
    with pytest.raises(BadInput, match="no property"):
        await connect.match(services, engine.host, engine.place + 99, engine.locks["front"], now)
    with pytest.raises(BadInput, match="no lock"):
        await connect.match(services, engine.host, engine.place, engine.locks["front"] + 99, now)


async def test_matching_and_unmatching_twice_changes_nothing(start):
    engine = await start()
    assert await engine.match("front") is False
    assert await engine.unmatch("front") is True
    assert await engine.unmatch("front") is False


async def test_changed_settings_plan_the_stays_anew(start):
    engine = await start(at=OPENS - DAY)
    await engine.book()
    await connect.change_settings(
        engine.services, engine.host, engine.place, {"buffer_before_minutes": 60, "backups": False}, engine.now
    )
    await engine.work()
    assert engine.opens("front", at=OPENS - HOUR)
    assert len(engine.app.holds("front")) == 1


async def test_an_account_that_answers_says_so_in_one_sentence(start):
    engine = await start({"front": "standard", "back": "standard"})
    engine.app.offline("back")
    account = engine.ask(hosts.lock_apps, engine.services.vault, [engine.account])[engine.account]
    assert await connect.test_account(engine.services, account) == "App main answers: 2 locks, 1 of them offline"


async def test_new_rules_of_a_lock_plan_its_stays_anew(start):
    engine = await start(at=OPENS - 5 * DAY)
    await engine.book(phone=None)
    account = engine.ask(hosts.lock_apps, engine.services.vault, [engine.account])[engine.account]
    lock = engine.app.locks["front"]
    lock.capabilities = replace(lock.capabilities, lead=timedelta(days=10))
    await connect.sync_locks(engine.services, account, engine.now)
    await engine.passes(6 * MINUTE)
    assert len(engine.held()) == 1


async def test_the_history_of_a_lock_tells_what_happened_on_it(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book()
    kinds = [entry.kind for entry in engine.ask(journal.of_lock, engine.host, engine.locks["front"])]
    assert kinds.count("asked_to_set") == 3
    assert kinds.count("confirmed") == 3
    report = await resync.resync(engine.services, engine.locks["front"], engine.now)
    assert report.kept == 3
