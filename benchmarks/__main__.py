"""``python -m benchmarks`` (``make bench``): measure everything and write ``docs/performance.md``."""

import argparse
import asyncio
from collections.abc import Callable, Sequence

import uvloop
from rich.console import Console

from benchmarks import drivers, due, feeds, intake, kill, memory, plan, push, today
from benchmarks.figures import Figure, table, write_page
from benchmarks.ground import Ground, ground, machine
from lockbridge.clock import use_packaged_time_zones
from lockbridge.log import set_up


def main() -> None:
    """Run what was asked for."""
    asked = _arguments()
    use_packaged_time_zones()
    set_up("error")
    console = Console()
    figures: list[Figure] = []
    with ground() as place:
        for name, measure in _benches(place, asked).items():
            if not asked.only or set(name.split()) & set(asked.only):
                console.print(f"measuring {name} …")
                found = measure()
                figures += found
                for figure in found:
                    console.print(f"  {figure.bench} {figure.what}: {figure.measured} {figure.goal} {figure.mark}")
    if not asked.only:
        figures.sort(key=lambda figure: int(figure.bench.removeprefix("T")))
        write_page(figures, machine(), f"--rows {asked.rows} --rounds {asked.rounds}")
    console.print(table(figures), soft_wrap=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="some of T1 … T12; docs/performance.md is kept then")
    parser.add_argument("--rows", type=int, default=1_000_000, help="codes in the large tables (up to 5,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often ours and the reference are run in turn")
    parser.add_argument("--stays", type=int, default=100_000, help="stays that T6 plans")
    return parser.parse_args()


def _benches(place: Ground, asked: argparse.Namespace) -> dict[str, Callable[[], Sequence[Figure]]]:
    return {
        "T1 T2 T9": lambda: intake.measure(place, 24_000, asked.rounds),
        "T3": lambda: uvloop.run(push.measure(place, 6_000, asked.rounds)),
        "T4 T5": lambda: due.measure(place, asked.rows),
        "T6": lambda: asyncio.run(plan.measure(place, asked.stays)),
        "T7": lambda: memory.measure(place, asked.rows, 5_000),
        "T8": lambda: asyncio.run(kill.measure(place, 6_000, 10_000)),
        "T10": lambda: asyncio.run(drivers.measure(20, asked.rounds * 3)),
        "T11": lambda: asyncio.run(feeds.measure(place, asked.rounds * 3)),
        "T12": lambda: uvloop.run(today.measure(place, asked.rounds)),
    }


if __name__ == "__main__":
    main()
