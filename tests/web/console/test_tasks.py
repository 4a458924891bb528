"""The page of long work: progress while it runs, its report afterwards, and what is said of work that broke off."""

import asyncio

from lockbridge.storage import tasks
from lockbridge.web.console import tasks as page
from lockbridge.workflows.connect import BadInput
from tests.workflows.engine import MINUTE


async def begin(console, work, kind="weighing"):
    number = await console.web.background.start(console.host, kind, "Weighing of doors", "Owner", work)
    await asyncio.sleep(0)
    return number


async def test_running_work_shows_how_far_it_is_and_reloads_itself_without_scripts(console):
    go_on = asyncio.Event()

    async def work(progress):
        await progress.say("3 doors weighed", 3, 10)
        await go_on.wait()
        return {"doors": 10, "heaviest": "the cellar’s"}

    number = await begin(console, work)
    html = (await console.owner.get(f"tasks/{number}")).text
    assert 'value="3" max="10"' in html
    assert "3 doors weighed" in html
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in html
    assert f'data-stream="/console/{console.host}/tasks/{number}/live"' in html
    go_on.set()
    await console.finish()
    html = (await console.owner.get(f"tasks/{number}")).text
    assert "the cellar’s" in html
    assert "http-equiv" not in html
    assert "data-stream" not in html


async def test_the_stream_says_what_changed_and_ends_with_the_work(console, monkeypatch):
    monkeypatch.setattr(page, "GLANCE_SECONDS", 0.001)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work(progress):
        begun.set()
        await go_on.wait()
        await progress.say("half", 1, 2)
        return {}

    number = await begin(console, work)
    reading = asyncio.create_task(console.owner.get(f"tasks/{number}/live"))
    await begun.wait()
    go_on.set()
    answer = await reading
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("event: changed")
    assert answer.text.rstrip().endswith("event: done\ndata: -")


async def test_work_that_failed_says_why(console):
    async def work(_progress):
        msg = "the doors are too heavy: take some off first"
        raise BadInput(msg)

    number = await begin(console, work)
    await console.finish()
    text = await console.owner.text(f"tasks/{number}")
    assert "failed" in text
    assert "the doors are too heavy: take some off first" in text


async def test_work_whose_process_is_gone_is_said_to_have_broken_off(any_console):
    engine = any_console.engine
    number = await engine.write(lambda c: tasks.begin(c, engine.host, "resync", "Resync of front", "Owner", engine.now))
    assert "running" in await any_console.owner.text(f"tasks/{number}")
    engine.clock.advance(3 * MINUTE)
    answer = await any_console.owner.get(f"tasks/{number}")
    assert "broke off with its process" in answer.text
    assert "http-equiv" not in answer.text
    assert (await any_console.owner.get(f"tasks/{number}/live")).text.endswith("event: done\ndata: -\n\n")
