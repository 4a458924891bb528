"""Open pages are told when something of their host has changed, and only then."""

import asyncio
import re

import httpx
import pytest

from lockbridge.storage import live as marks
from lockbridge.storage import locks, people
from lockbridge.storage.live import token
from lockbridge.web.console import live
from lockbridge.web.console.live import Live
from lockbridge.web.server import STOPPING
from lockbridge.workflows import connect, sign_in
from tests.web.console.conftest import URL


class Pulse:
    """The pause between two looks, ended by hand."""

    def __init__(self):
        self.looks = asyncio.Semaphore(0)

    async def __call__(self):
        await self.looks.acquire()

    def beat(self, times=1):
        for _ in range(times):
            self.looks.release()


async def heard(events):
    """The next thing a page hears; None: the stream has ended. A test that waits in vain fails instead of hanging."""
    async with asyncio.timeout(20):
        return await anext(events, None)


@pytest.fixture
def pulse():
    return Pulse()


@pytest.fixture
def watched(any_console, pulse):
    return Live(any_console.engine.services, pulse)


def session(console):
    return console.owner.client.cookies["lockbridge"]


async def test_a_page_hears_of_a_change_and_of_nothing_else(any_console, watched, pulse):
    engine = any_console.engine
    events = watched.changes(engine.host, "", session(any_console))
    assert (await heard(events)).name == ""
    pulse.beat(live.BEAT)
    assert (await heard(events)).name == ""  # a sign of life
    await engine.book()
    pulse.beat()
    assert (await heard(events)).name == "changed"
    await engine.write(lambda c: locks.set_lock_status(c, engine.locks["front"], online=False))
    pulse.beat()
    assert (await heard(events)).name == "changed"
    await events.aclose()


async def test_another_hosts_changes_are_none_of_ours(any_console, watched, pulse):
    engine = any_console.engine
    other = await connect.add_host(engine.services, "Bo Other", "bo@example.com", engine.now)
    events = watched.changes(other, "", session(any_console))
    await heard(events)
    await engine.book()
    pulse.beat(live.BEAT)
    assert (await heard(events)).name == ""
    await events.aclose()


async def test_what_changed_while_the_browser_was_away_is_told_when_it_comes_back(any_console, watched):
    engine = any_console.engine
    known = token(engine.ask(marks.mark, engine.host))
    await engine.book()
    events = watched.changes(engine.host, known, session(any_console))
    first = await heard(events)
    assert (first.name, first.id) == ("changed", token(engine.ask(marks.mark, engine.host)))
    await events.aclose()


@pytest.mark.parametrize("page", ["", "/stays", "/locks", "/lock-apps", "/sources", "/start", "/messages", "/activity"])
async def test_what_changed_between_a_page_and_its_listening_is_told_at_once(console, page):
    engine, client = console.engine, console.owner.client
    shown = await client.get(f"/console/{engine.host}{page}")
    (stream,) = re.findall(r'data-stream="([^"]+)"', shown.text)
    await engine.book()
    known = httpx.URL(stream).params["since"]
    events = Live(engine.services).changes(engine.host, known, session(console))
    assert (await heard(events)).name == "changed"
    await events.aclose()


async def test_all_pages_of_a_host_share_one_look_and_it_stops_with_the_last(any_console, watched, pulse):
    engine = any_console.engine
    pages = [watched.changes(engine.host, "", session(any_console)) for _ in range(3)]
    for each in pages:
        await heard(each)
    assert (len(watched.watchers), watched.streams) == (1, 3)
    await engine.book()
    pulse.beat()
    assert [(await heard(each)).name for each in pages] == ["changed"] * 3
    for each in pages:
        await each.aclose()
    assert (watched.watchers, watched.streams) == ({}, 0)


async def test_a_page_is_told_nothing_more_once_its_session_is_ended(any_console, watched, pulse):
    engine = any_console.engine
    events = watched.changes(engine.host, "", session(any_console))
    await heard(events)
    known = await sign_in.known_by(engine.services, session(any_console), engine.now)
    await engine.write(lambda c: people.end_session(c, known.person.id, known.session.id))
    await engine.book()
    pulse.beat()
    assert await heard(events) is None


async def test_a_stream_ends_by_itself_and_the_browser_comes_back(any_console, watched, pulse):
    events = watched.changes(any_console.host, "", session(any_console))
    assert (await heard(events)).retry == live.COME_BACK
    pulse.beat(live.LIFE)
    beats = [each async for each in events]
    assert len(beats) == live.LIFE // live.BEAT
    assert watched.streams == 0


async def test_when_too_many_listen_the_next_is_asked_to_come_back_later(any_console, watched, monkeypatch):
    monkeypatch.setattr(live, "MOST_STREAMS", 1)
    first = watched.changes(any_console.host, "", session(any_console))
    await heard(first)
    turned_away = [each async for each in watched.changes(any_console.host, "", session(any_console))]
    assert [each.retry for each in turned_away] == [live.COME_BACK_LATER]
    await first.aclose()


async def test_over_http_it_is_an_event_stream_that_ends_when_the_server_stops(console):
    stopping = asyncio.Event()

    async def server(scope, receive, send):
        async def sent(message):
            await send(message)
            if message["type"] == "http.response.body" and message["body"]:
                stopping.set()

        scope[STOPPING] = stopping
        await console.web(scope, receive, sent)

    transport = httpx.ASGITransport(app=server)
    async with httpx.AsyncClient(transport=transport, base_url=URL, cookies=console.owner.client.cookies) as client:
        answer = await client.get(f"/console/{console.host}/live?since=long-ago")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert "event: changed" in answer.text
    assert "retry: 3000" in answer.text


async def test_it_is_for_those_who_may_see_the_host(console):
    stranger = await console.stranger()
    assert (await stranger.get(f"/console/{console.host}/live")).status_code == 303
    other = await connect.add_host(console.engine.services, "Bo Other", "bo@example.com", console.engine.now)
    assert (await console.owner.get(f"/console/{other}/live")).status_code == 404
