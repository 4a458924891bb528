"""The house rules that a linter does not know."""

import ast
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from lockbridge.platforms import PLATFORMS
from providers import PROVIDERS
from tests.architecture.tree import ROOT, functions, imports, modules

EDGES = {
    "lockbridge/cli.py": ["run"],
    "lockbridge/worker.py": ["Worker._tick"],
    "lockbridge/web/hooks.py": ["Hooks._answer"],
    "lockbridge/web/background.py": ["Background._run"],
    "lockbridge/workflows/push.py": ["_attend_safely"],
    "lockbridge/workflows/notify.py": ["_handle_safely"],
    "lockbridge/workflows/receive.py": ["_read_one"],
    "lockbridge/workflows/sync.py": ["_read", "_ask"],
    "lockbridge/storage/commit.py": ["_Writer.write"],
}
"""Where an error nobody expected is caught: the outermost edges, so that one mistake stays with what it concerns."""

CLOCKS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
    "time.localtime",
}
BRANDS = {"nuki", "seam", "ttlock", "august", "yale", "schlage", "airbnb", "vrbo", *PLATFORMS}
CORE = (
    "lockbridge/domain/",
    "lockbridge/workflows/",
    "lockbridge/storage/",
    "lockbridge/messaging/",
    "lockbridge/web/",
)


def test_imports_go_down_and_the_domain_is_pure():
    done = subprocess.run(  # noqa: S603 - our own tool
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_only_the_composition_root_the_demo_and_the_simulation_name_lock_apps():
    strangers = [
        f"{path} imports {module}"
        for path, tree in modules().items()
        for module, _ in imports(tree)
        if module.partition(".")[0] == "providers"
        if not path.startswith(("providers/", "lockbridge/demo/", "lockbridge/simulation/"))
        if path != "lockbridge/bootstrap.py"
    ]
    assert strangers == []


def test_lock_apps_do_not_know_each_other():
    brands = {
        key for key in PROVIDERS if (ROOT / "providers" / key).exists() or (ROOT / f"providers/{key}.py").exists()
    }
    assert brands, "no provider's module is called like its key"
    mixed = [
        f"{path} imports {module}"
        for path, tree in modules().items()
        if path.startswith("providers/") and path != "providers/__init__.py"
        for module, _ in imports(tree)
        if module.startswith("providers.")
        if module.split(".")[1] in brands and module.split(".")[1] not in path
    ]
    assert mixed == []


def test_sql_is_written_in_storage_and_nowhere_else():
    elsewhere = [
        f"{path}: from {module} import {', '.join(names)}"
        for path, tree in modules().items()
        if not path.startswith("lockbridge/storage/")
        for module, names in imports(tree)
        if module.partition(".")[0] in {"sqlalchemy", "sqlmodel"} and names not in {("Connection",), ()}
    ]
    assert elsewhere == []


def test_errors_nobody_expected_are_caught_at_the_named_edges_only():
    found: dict[str, list[str]] = {}
    for path, tree in modules().items():
        for name, function in functions(tree):
            own = (node for node in ast.walk(function) if isinstance(node, ast.ExceptHandler))
            if any(_catches_everything(handler) for handler in own):
                found.setdefault(path, []).append(name)
    assert found == EDGES


def _catches_everything(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"}


def test_the_time_is_read_in_one_place():
    read = [
        f"{path}:{node.lineno} {ast.unparse(node.func)}"
        for path, tree in modules().items()
        if path != "lockbridge/clock.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCKS
    ]
    assert read == []


def test_the_domain_never_asks_what_time_it_is():
    asked = [
        f"{path} imports {module}"
        for path, tree in modules().items()
        if path.startswith("lockbridge/domain/")
        for module, _ in imports(tree)
        if module in {"time", "lockbridge.clock"}
    ]
    assert asked == []


def test_no_rule_knows_a_brand_by_name():
    named = [
        f"{path}:{node.lineno} {node.value!r}"
        for path, tree in modules().items()
        if path.startswith(CORE)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.casefold() in BRANDS
    ]
    assert named == []


def test_functions_are_short():
    lengths = {
        f"{path}:{function.lineno} {name}": (function.end_lineno or 0) - function.lineno + 1
        for path, tree in modules().items()
        for name, function in functions(tree)
    }
    ordered = sorted(lengths.values())
    longest = sorted(lengths, key=lengths.__getitem__)[-5:]
    assert statistics.median(ordered) <= 10, longest
    assert ordered[len(ordered) * 9 // 10] <= 37, longest


@pytest.mark.parametrize("mark", ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
def test_what_is_not_done_yet_stands_in_the_tracker_not_in_the_code(mark):
    marked = [
        f"{path}:{number}"
        for path in modules()
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1)
        if mark in line.replace("(", " ").replace(":", " ").split()
    ]
    assert marked == []
