"""The source as the architecture tests read it: files, their syntax trees, their functions."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("lockbridge", "providers")
NOT_OURS = frozenset({".git", ".venv", ".hypothesis", ".interop", "data", "dist", "build", "htmlcov"})
"""Folders at the top that are installed or generated."""


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the product by its path in the repository."""
    files = (file for folder in SOURCES for file in sorted((ROOT / folder).rglob("*.py")))
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text(encoding="utf-8")) for file in files}


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function below a node, with its dotted name."""
    for node in ast.iter_child_nodes(tree):
        name = getattr(node, "name", "")
        dotted = f"{inside}.{name}".strip(".") if isinstance(name, str) and name else inside
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield dotted, node
        yield from functions(node, dotted)


def imports(tree: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is imported anywhere in a module: the module, and the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", tuple(alias.name for alias in node.names)


def texts(*endings: str) -> Iterator[Path]:
    """The repository's files with these endings, what is installed and generated left out."""
    for file in sorted(ROOT.rglob("*")):
        parts = file.relative_to(ROOT).parts
        generated = parts[0] in NOT_OURS or any(part.endswith(("_cache", "__pycache__", ".egg-info")) for part in parts)
        if file.is_file() and not generated and file.name.endswith(endings):
            yield file
