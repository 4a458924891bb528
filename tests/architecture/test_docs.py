"""The documentation says what is there, all of it, and its links lead somewhere."""

import re
import tomllib
from collections.abc import Iterator

import pytest
import typer

from lockbridge import cli
from lockbridge.capabilities import markdown, platforms_markdown
from lockbridge.config import every_setting, variable
from lockbridge.platforms import PLATFORMS
from providers import PROVIDERS
from tests.architecture.tree import ROOT, texts

PAGES = [file for file in texts(".md") if file.relative_to(ROOT).parts[0] != "tests"]
RULES = range(1, 48)
"""The rules of the rulebook that the engine holds."""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> Iterator[str]:
    """Every command as it is typed, without the program's name: ``serve``, ``stay explain``."""
    context = typer.Context(typer.main.get_group(cli.app))
    for name in cli.COMMANDS:
        command = typer.main.get_group(cli.app).get_command(context, name)
        inner = getattr(command, "commands", {})
        yield from (f"{name} {each}" for each in inner) if inner else (name,)


def test_every_command_is_explained_in_the_operations_page():
    operations = read("docs/operations.md")
    known = list(commands())
    assert len(known) > len(cli.COMMANDS)
    assert [command for command in known if not re.search(rf"`(lockbridge )?{command}[ `]", operations)] == []


def test_every_setting_is_on_the_settings_page_with_its_variable():
    page = read("docs/settings.md")
    names = [name for name, _ in every_setting()]
    missing = [name for name in names if f"`{name.partition('.')[2]}`" not in page or f"`{variable(name)}`" not in page]
    assert names
    assert missing == []


def test_the_page_of_lock_apps_says_what_the_drivers_declare():
    assert read("docs/providers.md") == markdown(PROVIDERS), "run: lockbridge lock-app matrix > docs/providers.md"
    page = platforms_markdown(PLATFORMS)
    assert read("docs/platforms.md") == page, "run: lockbridge platform matrix > docs/platforms.md"


def test_every_driver_says_what_its_locks_can_do_how_mature_it_is_and_where_each_answer_is_found():
    for key, spec in PROVIDERS.items():
        assert spec.maturity, key
        assert spec.kinds or key == "simulator", key
        assert all(field.help for field in spec.fields), key


def test_every_dependency_has_its_reason_and_every_reason_its_dependency():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[<>=!~\[; ]", each)[0] for each in wanted}
    reasons = dict(re.findall(r"^\| `([\w-]+)` \| (.+?) \|", read("docs/dependencies.md"), re.MULTILINE))
    assert set(reasons) == names
    assert [name for name, reason in reasons.items() if len(reason) < 10] == []


def test_every_dependency_is_pinned_with_hashes():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    for file, wanted in (
        ("requirements/runtime.txt", project["dependencies"]),
        ("requirements/dev.txt", [*project["dependencies"], *project["optional-dependencies"]["dev"]]),
    ):
        pinned = set(re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==", read(file), re.MULTILINE))
        names = {re.split(r"[<>=!~\[; ]", each)[0] for each in wanted}
        assert names - pinned == set(), file
        assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", read(file))) >= len(pinned), file


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_named_by_a_test_that_proves_it(rule):
    mention = re.compile(rf"^ *(?:async )?def test_(?:r\d+_)*r0?{rule}_", re.MULTILINE)
    assert any(mention.search(file.read_text(encoding="utf-8")) for file in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_within_the_repository_leads_somewhere(page):
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = [
        link for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link and not link.startswith("mailto:")
    ]
    for link in links:
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} in {page.name}"
        assert not anchor or anchor in headings(target.read_text(encoding="utf-8")), f"{link} in {page.name}"


def headings(text: str) -> set[str]:
    """The anchors of a page, as code hosts make them from its headings."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_of_the_documentation_can_be_reached_from_the_readme():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        found = re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        left += [(page.parent / link).resolve() for link in found if (page.parent / link).is_file()]
    assert {page for page in PAGES if page.relative_to(ROOT).parts[0] == "docs"} <= reached


def test_the_readme_shows_the_way_of_a_booking_and_the_commands_that_work():
    readme, makefile = read("README.md"), read("Makefile")
    assert "```mermaid\nflowchart" in readme
    for target in re.findall(r"\bmake ([a-z]+)\b", readme):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"
    assert {"make demo", "make test"} <= set(re.findall(r"^make \w+", readme, re.MULTILINE))


def test_what_ci_runs_contains_the_test_command_of_the_readme():
    (command,) = re.findall(r"The test command is `([^`]+)`", read("README.md"))
    recipes = dict(re.findall(r"^([a-z]+):.*\n((?:\t.*\n)+)", read("Makefile"), re.MULTILINE))
    checked = re.findall(r"^check:([^#\n]*)", read("Makefile"), re.MULTILINE)[0].split()
    assert command in recipes["test"]
    assert any(command in recipes.get(target, "") for target in checked)
    assert "make check" in read(".ci/run")


def test_the_licence_is_the_one_that_is_named():
    project = tomllib.loads(read("pyproject.toml"))["project"]
    licence = read("LICENSE")
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence


MACHINES = {
    "an absolute path of somebody's machine": r"(?<![\w.~$}>])/(?:home/\w|root/|work/|Users/\w|mnt/\w)",
    "a package index": r"pypi\.org|pythonhosted|--index-url|--extra-index-url|--trusted-host|/simple/",
    "an image registry": r"docker\.io|ghcr\.io|quay\.io|gcr\.io",
    "an address of a private network": r"\b(?:10\.\d+|192\.168)\.\d+\.\d+\b",
}


@pytest.mark.parametrize("what", MACHINES)
def test_nothing_of_one_machine_is_in_the_repository(what):
    here = ROOT / "tests/architecture/test_docs.py"
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in texts("")
        if file != here and file.suffix not in {".png", ".sqlite3", ".pyc", ".whl"}
        for match in re.finditer(MACHINES[what], file.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []
