"""A process loads what its own work needs: the other half of lockbridge would stay in its memory for nothing."""

import os
import subprocess
import sys

import pytest

SERVE = """
import asyncio, sys
from pathlib import Path
from lockbridge.bootstrap import services
from lockbridge.commands import running
from lockbridge.config import load

async def main():
    async with services(load()) as built:
        {process}

asyncio.run(main())
print(*sys.modules)
"""
INTAKE = "from lockbridge.web import app, server; app.build_web(built, max_body=1024)"
WORKER = "from lockbridge import worker; worker.Worker(built); built.accounts.http, built.accounts.providers"


def _loaded(url: str, folder, process: str) -> set[str]:
    own = {"LOCKBRIDGE_DATABASE__URL": url, "LOCKBRIDGE_SECRETS__KEY_FILE": str(folder / "a.key")}
    command = [sys.executable, "-c", SERVE.format(process=process)]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.slow
def test_a_process_that_only_takes_webhooks_loads_nothing_that_calls_lock_apps_or_writes_messages(sqlite_url, tmp_path):
    loaded = _loaded(sqlite_url, tmp_path, INTAKE)
    others = {"alembic", "aiohttp", "apscheduler", "fastapi", "httpx", "jinja2", "providers", "psycopg", "tenacity"}
    assert loaded & others == set()
    assert loaded & {"lockbridge.worker", "lockbridge.workflows.push", "lockbridge.workflows.healthcheck"} == set()


@pytest.mark.slow
def test_a_worker_loads_no_web(sqlite_url, tmp_path):
    loaded = _loaded(sqlite_url, tmp_path, WORKER)
    assert {"aiohttp", "apscheduler", "httpx", "providers"} <= loaded
    assert loaded & {"alembic", "fastapi", "lockbridge.web", "prometheus_client", "psycopg", "uvicorn"} == set()
