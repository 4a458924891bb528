"""Where the files that are not Python lie: beside the package in a checkout, inside it in a wheel."""

from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


class AssetsMissing(Exception):
    """The installation is incomplete; the message says which folder was looked for."""


@cache
def root() -> Path:
    """The folder that holds ``templates``, ``migrations`` and ``settings.toml``. Raises :class:`AssetsMissing`."""
    for folder in (PACKAGE / "_assets", PACKAGE.parent):
        if (folder / "settings.toml").is_file() and (folder / "migrations").is_dir():
            return folder
    msg = f"migrations and settings.toml are neither in {PACKAGE / '_assets'} nor {PACKAGE.parent}: install it anew"
    raise AssetsMissing(msg)


def templates() -> Path:
    """The folder of the templates."""
    return root() / "templates"


def migrations() -> Path:
    """The folder of the migrations, for alembic."""
    return root() / "migrations"


def settings_file() -> Path:
    """The packaged ``settings.toml``, with every setting at its default."""
    return root() / "settings.toml"
