"""What is shipped works outside the checkout: the wheel is built, installed somewhere else and run there."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from lockbridge import __version__

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Installed:
    """The wheel, and where it was installed."""

    wheel: Path
    site: Path

    def python(self, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python there: it sees the installed wheel and the packages of this environment, not the checkout."""
        path = os.pathsep.join([str(self.site), sysconfig.get_path("purelib")])
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LOCKBRIDGE_")}
        return run(
            [sys.executable, "-P", *arguments],
            cwd=cwd,
            env={**clean, "PYTHONPATH": path, "NO_COLOR": "1", **environment},
        )


def run(command: list[str], **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own build, and what it made
        command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=300, **options
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("dist")
    built = run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=CHECKOUT)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--isolated"]
    done = run([*pip, "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel)], cwd=folder)
    assert done.returncode == 0, done.stderr
    return Installed(wheel, site)


def test_the_wheel_holds_the_product_and_nothing_else(installed):
    with zipfile.ZipFile(installed.wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0] for name in names} == {
        "lockbridge",
        "providers",
        f"lockbridge-{__version__}.dist-info",
    }
    assert {"lockbridge/py.typed", "lockbridge/_assets/settings.toml"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert [name for name in names if name.endswith((".pyc", ".sqlite3", ".key"))] == []


def test_every_template_and_migration_of_the_checkout_is_in_the_wheel(installed):
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    for folder in ("templates", "migrations"):
        wanted = [file for file in (CHECKOUT / folder).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
        assert wanted
        missing = {f"lockbridge/_assets/{file.relative_to(CHECKOUT).as_posix()}" for file in wanted} - names
        assert missing == set()


def test_the_installed_program_is_not_the_checkout_and_finds_its_files(installed, tmp_path):
    told = installed.python(
        "-c",
        "import lockbridge, providers\n"
        "from lockbridge import assets, config\n"
        "from lockbridge.messaging.render import Renderer\n"
        "Renderer(assets.templates()); config.load()\n"
        "print(lockbridge.__file__, providers.__file__, assets.root(), sep='\\n')",
        cwd=tmp_path,
    )
    assert told.returncode == 0, told.stderr
    for line in told.stdout.splitlines():
        assert Path(line).is_relative_to(installed.site)


def test_the_installed_command_tells_its_help_and_version(installed, tmp_path):
    script = str(installed.site / "bin" / "lockbridge")
    told = installed.python(script, "--help", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "healthcheck" in told.stdout
    assert installed.python(script, "--version", cwd=tmp_path).stdout == f"lockbridge {__version__}\n"


def test_the_installed_program_makes_a_database_and_works_on_it(installed, tmp_path):
    made = installed.python("-m", "lockbridge", "migrate", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "data" / "lockbridge.sqlite3").is_file()
    added = installed.python("-m", "lockbridge", "host", "add", "Ana Reyes", "ana@homes.example", cwd=tmp_path)
    assert added.returncode == 0, added.stderr
    assert (tmp_path / "data" / "lockbridge.key").stat().st_mode & 0o777 == 0o600
    listed = installed.python("-m", "lockbridge", "host", "list", cwd=tmp_path)
    assert re.search(r"\b1\b.*Ana Reyes", listed.stdout), listed.stderr
