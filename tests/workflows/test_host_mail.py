"""What hosts hear: once when it begins, once when it is over, together what comes together, by webhook where wanted."""

import pytest

from lockbridge.domain.messages import HostAlarm
from lockbridge.messaging.channel import SendLater, SendRefused, SendUnknown
from lockbridge.workflows import alarms, host_mail
from providers.simulator import Fault, Verb
from tests.workflows.engine import DAY, HOST_EMAIL, HOUR, MINUTE, OPENS

BROKEN = [Fault.REJECTED] * 60
HOOK = "https://hooks.example.com/lockbridge"


def offline(lock):
    return HostAlarm.LOCK_OFFLINE, f"lock-{lock}", {"lock_name": lock, "lock_app_name": "App", "since": "noon"}


def low(lock):
    facts = {"lock_name": lock, "lock_app_name": "App", "percent": "9", "threshold": "20"}
    return HostAlarm.BATTERY_LOW, f"lock-{lock}", facts


async def begins(engine, *troubles):
    """These things go wrong in one moment."""

    def write(connection):
        for alarm, about, facts in troubles:
            alarms.begin(connection, engine.host, alarm, about, {"others_offline": 0, **facts}, engine.now)

    await engine.write(write)
    await engine.work()


async def ends(engine, *locks):
    def write(connection):
        for lock in locks:
            facts = {"lock_name": lock, "lock_app_name": "App", "since": "one"}
            over = HostAlarm.LOCK_ONLINE
            alarms.end(
                connection, engine.host, HostAlarm.LOCK_OFFLINE, f"lock-{lock}", engine.now, over=over, facts=facts
            )

    await engine.write(write)
    await engine.work()


async def test_r27_what_begins_together_is_one_email_with_the_gravest_first_and_one_when_it_is_over(start):
    engine = await start()
    await begins(engine, low("Gate"), offline("Front"), offline("Back"))
    (mail,) = engine.mails(HOST_EMAIL)
    assert mail.subject == "3 things to look at; first: Front is disconnected"
    first, second, third = (mail.text.index(f"{n}. ") for n in (1, 2, 3))
    assert first < mail.text.index("Front (App)") < second < mail.text.index("Back (App)") < third
    assert "The battery of Gate" in mail.text[third:]
    await ends(engine, "Front", "Back")
    assert len(engine.mails(HOST_EMAIL)) == 2
    assert engine.mails(HOST_EMAIL)[1].subject.startswith("2 things to look at")
    await ends(engine, "Front", "Back")
    assert len(engine.mails(HOST_EMAIL)) == 2


async def test_r27_a_single_alarm_reads_as_itself(start):
    engine = await start()
    await begins(engine, offline("Front"))
    await begins(engine, offline("Front"))
    (mail,) = engine.mails(HOST_EMAIL)
    assert mail.subject == "Front is disconnected"


async def test_r38_alarms_tried_together_stay_together_whatever_comes_later(start):
    engine = await start()
    ids, waiting = [], [SendUnknown("the line went dead"), SendLater("busy")]

    def unsure(mail):
        ids.append(mail.message_id)
        if waiting:
            raise waiting.pop(0)

    engine.mail.before = unsure
    await begins(engine, offline("Front"), offline("Back"))
    await begins(engine, low("Gate"))
    await engine.passes(HOUR)
    assert len(engine.mails(HOST_EMAIL)) == 2
    assert sorted(ids.count(name) for name in set(ids)) == [2, 2]
    assert len(engine.told_host("lock_offline")) == 2


async def test_a_mistake_in_one_alarm_keeps_the_others_from_nobody(start):
    engine = await start()
    broken = (HostAlarm.LOCK_ONLINE, "lock-x", {})
    await begins(engine, broken, offline("Front"), low("Gate"))
    await engine.passes(MINUTE)
    assert {row.kind for row in engine.told_host("lock_offline") + engine.told_host("battery_low")} == {
        "lock_offline",
        "battery_low",
    }
    assert engine.told_host("lock_online") == []


# By webhook


async def test_r27_a_host_with_a_webhook_is_told_there_too_each_alarm_by_itself(start):
    engine = await start()
    secret = await host_mail.set_hook(engine.services, engine.host, HOOK)
    assert secret.startswith("whsec_")
    await begins(engine, offline("Front"), low("Gate"))
    sent = engine.world.postings.sent
    assert [posting.payload["type"] for posting in sent] == ["alarm.lock_offline", "alarm.battery_low"]
    assert {(posting.url, posting.secret) for posting in sent} == {(HOOK, secret)}
    assert sent[0].payload["data"]["facts"]["lock_name"] == "Front"
    assert sent[0].payload["data"]["subject"] == "Front is disconnected"
    assert len(engine.mails(HOST_EMAIL)) == 1
    assert secret not in repr(sent)


async def test_a_webhook_that_fails_is_tried_again_under_the_same_id_and_not_for_ever(start):
    engine = await start()
    await host_mail.set_hook(engine.services, engine.host, HOOK)
    keys = []

    def fails(posting):
        keys.append(posting.key)
        raise SendLater("down")  # noqa: EM101 - an invented fault

    engine.world.postings.before = fails
    await begins(engine, offline("Front"))
    await engine.passes(DAY)
    assert (len(keys), len(set(keys))) == (host_mail.MOST_POSTINGS, 1)
    assert len(engine.mails(HOST_EMAIL)) == 1


async def test_a_webhook_that_is_refused_is_given_up_and_the_email_goes(start):
    engine = await start()
    await host_mail.set_hook(engine.services, engine.host, HOOK)

    def refuses(_posting):
        raise SendRefused("gone")  # noqa: EM101 - an invented fault

    engine.world.postings.before = refuses
    await begins(engine, offline("Front"))
    await engine.passes(DAY)
    assert len(engine.mails(HOST_EMAIL)) == 1
    await host_mail.set_hook(engine.services, engine.host, None)
    await begins(engine, offline("Back"))
    assert engine.world.postings.sent == []


@pytest.mark.parametrize("url", ["hooks.example.com", "http://hooks.example.com", "ftp://x", "https://me:pw@x.example"])
async def test_a_webhook_goes_nowhere_in_the_clear(start, url):
    engine = await start()
    with pytest.raises(ValueError, match="no address webhooks can be sent to") as refused:
        await host_mail.set_hook(engine.services, engine.host, url)
    assert url not in str(refused.value)


# The end of a code that was not on its lock


async def test_r23_the_host_hears_when_a_code_that_failed_is_on_the_lock_at_last(start):
    engine = await start(at=OPENS - DAY, settings={"backups": False})
    engine.app.offline("front")
    await engine.book()
    await engine.until(OPENS - 4 * HOUR)
    assert "push_failed" in engine.alarms()
    engine.app.online("front")
    await engine.passes(HOUR)
    assert "push_failed" not in engine.alarms()
    assert len(engine.told_host("code_set")) == 1


async def test_r23_a_code_that_failed_and_is_not_needed_any_more_is_no_alarm(start):
    engine = await start(at=OPENS - DAY, settings={"backups": False})
    engine.app.script("front", *BROKEN, on=[Verb.SET])
    await engine.book()
    await engine.until(OPENS - 4 * HOUR)
    assert "push_failed" in engine.alarms()
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(DAY)
    assert "push_failed" not in engine.alarms()
    assert engine.told_host("code_set") == []
