# lockbridge. Everything is installed into .venv; `make help` lists what there is.
.DEFAULT_GOAL := help
.SUFFIXES:
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
UV := $(BIN)/uv

# Tests and benchmarks start some hundred processes: without bytecode each of them would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

# The lower bound for the branch coverage of the two rooms that hold the rules and the order of steps.
COVERED := lockbridge/domain/*,lockbridge/workflows/*
COVERAGE := 95

.PHONY: help install demo serve test browser screenshots interop interop-ha check format lint types imports coverage bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## set up .venv: a virtual environment with everything that is needed

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "lockbridge needs Python 3.11 or later as '$(PYTHON)'; name another one: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || { echo "1/3 making a virtual environment in .venv"; $(PYTHON) -m venv .venv; }
	@echo "2/3 installing the packages of requirements/dev.txt (about 90; a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@echo "3/3 installing lockbridge"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

demo: $(READY) ## show the main job with real parts, in under a minute
	@$(BIN)/lockbridge demo

serve: $(READY) ## run the service on an embedded SQLite database in data/
	@$(BIN)/lockbridge serve

test: $(READY) browser ## run all tests, on SQLite and on a PostgreSQL that they start themselves
	@$(BIN)/pytest -q -n 3 --dist loadfile

browser: $(READY)
	@$(BIN)/python -m tests.browser.chromium

screenshots: $(READY) browser ## run the tests in the browser and write what it shows to docs/screenshots/
	@LOCKBRIDGE_SCREENSHOTS=docs/screenshots $(BIN)/pytest -q tests/browser

interop: $(READY) ## run the lock apps against counterparts nobody here wrote (needs Node.js 20 or later, and npm)
	@LOCKBRIDGE_INTEROP=require $(BIN)/pytest -q -m interop tests/interop

interop-ha: $(READY) ## run that of Home Assistant against Home Assistant itself (needs Python 3.13, and what interop needs)
	@LOCKBRIDGE_INTEROP=require $(BIN)/pytest -q -m interop_ha tests/interop

check: format lint types imports coverage ## format, lint, types, import contracts, tests with coverage

format: $(READY)
	@$(BIN)/ruff format --check --quiet . || { echo "run: .venv/bin/ruff format ."; exit 1; }

lint: $(READY)
	@$(BIN)/ruff check --quiet .

types: $(READY)
	@$(BIN)/mypy

imports: $(READY)
	@$(BIN)/lint-imports

coverage: $(READY) browser
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run -m pytest -q -n 3 --dist loadfile
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include='$(COVERED)' --fail-under=$(COVERAGE)

bench: $(READY) ## measure speed and memory, and write docs/performance.md
	@$(BIN)/python -m benchmarks

lock: $(READY) ## compile requirements/ anew from pyproject.toml
	@test -x $(UV) || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra dev pyproject.toml --output-file requirements/dev.txt
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --constraint requirements/dev.txt pyproject.toml --output-file requirements/runtime.txt

clean: ## remove what was installed and built; data/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* \
	  htmlcov dist build .interop *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
