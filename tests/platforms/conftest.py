"""A server on loopback for the platforms' make-believe clouds, and clients that are cheap to make."""

from collections.abc import Iterator
from functools import cache

import httpx
import pytest

from tests.contract.serving import ServedApp, serving


@pytest.fixture(scope="session")
def served() -> Iterator[ServedApp]:
    """A real HTTP server; each test puts a cloud of its own behind it."""
    with serving() as app:
        yield app


@pytest.fixture(scope="session", autouse=True)
def one_tls_context() -> Iterator[None]:
    """A new client for each test, without reading the certificates of the world each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "create_ssl_context", cache(httpx.create_ssl_context))
        yield
