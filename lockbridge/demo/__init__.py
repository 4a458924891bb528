"""``lockbridge demo``: the main job shown with real parts, weeks of it in seconds, nothing of it canned.

A new SQLite database in a temporary folder, the webhook server, the simulated lock app behind its HTTP interface and a
mail server run on loopback; only the clock is moved. The people are invented: that is why the timeline shows digits.
"""

import asyncio
import tempfile
from io import TextIOWrapper
from pathlib import Path

from rich.console import Console
from rich.text import Text

from lockbridge import log
from lockbridge.clock import use_packaged_time_zones
from lockbridge.demo.stage import Stage, staged
from lockbridge.demo.story import CHAPTERS, START, Tale
from lockbridge.demo.teller import Teller

INTRODUCTION = (
    "lockbridge, shown with real parts: a new database, the webhook server, a lock app behind HTTP and a mail server, "
    "all on this machine. Only the clock is moved: three weeks pass in seconds. The people are invented, so PINs are "
    "shown here; elsewhere they hide themselves. Every line is read back from where it happened: web (the webhook "
    "server's answer), engine (lockbridge's database), lock (the lock app), door (a keypad), mail (the mail server). "
    "Lines marked hand are what people do."
)
GO_ON = {
    "make serve": "the service on embedded SQLite, for bookings of your own",
    "lockbridge --help": "every command; `stay explain` tells of any stay what you have just read",
    "lockbridge simulate": "weeks with hundreds of locks and thousands of stays, judged by an independent oracle",
    "docs/lifecycle.md": "the way of a booking on one page; README.md connects the first webhook",
}


def run(console: Console) -> int:
    """Tell the story; 0 when all of it came true, 1 when something did not (it says what)."""
    if isinstance(console.file, TextIOWrapper):
        console.file.reconfigure(errors="replace")  # a terminal without these characters shows a question mark
    log.set_up("error")
    use_packaged_time_zones()
    console.print(Text(INTRODUCTION))
    with tempfile.TemporaryDirectory(prefix="lockbridge-demo-") as folder:
        tell = asyncio.run(_play(Path(folder), Teller(console)))
    return _conclude(tell)


async def _play(folder: Path, tell: Teller) -> Teller:
    async with staged(folder, START) as stage:
        await _chapters(stage, tell)
    return tell


async def _chapters(stage: Stage, tell: Teller) -> None:
    tale = Tale(stage, tell)
    for chapter in CHAPTERS:
        await chapter(tale)


def _conclude(tell: Teller) -> int:
    tell.console.print()
    if tell.broken:
        tell.console.print(Text(f"{len(tell.broken)} of {tell.checked} promises did not hold:", "bold red"))
        for promise in tell.broken:
            tell.console.print(Text(f"  ✗ {promise}"))
        return 1
    tell.console.print(Text(f"All {tell.checked} promises of the story held.", "bold green"))
    tell.table("How to go on:", GO_ON)
    return 0
