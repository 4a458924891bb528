"""The browser of the tests: the machine's Chromium, or one that is installed now. ``python -m tests.browser.chromium``

Looked for in this order: what ``LOCKBRIDGE_BROWSER`` names, the programs of the machine, what Playwright has installed.
As root on Debian and its kin it is installed from there; elsewhere by Playwright.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

VARIABLE = "LOCKBRIDGE_BROWSER"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # root, as in containers, may not make one; only our own pages are looked at
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)
HELP = f"""The tests look at the pages in a real browser, and there is none here.
  on Debian or Ubuntu:  apt-get install chromium
  elsewhere:            .venv/bin/playwright install chromium
  one that lies elsewhere is named by the environment variable {VARIABLE}"""


def find() -> str | None:
    """The path of a Chromium; None: there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        return named if Path(named).is_file() else None
    of_machine = next((path for path in map(shutil.which, NAMES) if path), None)
    return of_machine or _of_playwright()


def _of_playwright() -> str | None:
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if path and Path(path).is_file() else None


def install() -> None:
    """Install one, if that can be done here."""
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing Chromium from the system's packages (about a minute)", flush=True)
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
        packages = ["chromium", "fonts-dejavu-core"]
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], check=False, **quiet)
    else:
        print("installing Chromium with Playwright", flush=True)
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    """Find or install it; say what to do when neither works."""
    try:
        if find() is None and not os.environ.get(VARIABLE):
            install()
        found = find()
    except Error as error:
        print(error, file=sys.stderr)
        found = None
    if found is None:
        print(HELP, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
