# Everything sets itself up: Python 3.11 or later and make are all that must be there.

PYTHON ?= python3
# Of the tests alone: make test PYTEST="-k lock"
PYTEST ?=
ARGS   ?=

BIN    := .venv/bin
NEWEST := .venv/.ready
LOWEST := .venv-lowest/.ready
THIRD  := .venv-third-party/.ready
# Tests wait for servers and processes, too: three workers for each two cores.
WORKERS ?= $(shell echo $$(((3 * $$(getconf _NPROCESSORS_ONLN) + 1) / 2)))
RUN    := -q -n $(WORKERS) --dist worksteal --durations=20 $(PYTEST)
# What no version of a dependency changes, or what brings its own: our processes, signals, streams,
# state machine and record, how they meet servers that fail, and what we ask servers ourselves. Of the
# two servers that PyMySQL talks to, one will do.
ONLY_NEWEST := tests/chaos tests/dispatch tests/engines tests/fleet tests/rollout tests/third_party \
               tests/test_ci.py tests/test_docs.py tests/test_servers.py tests/web/test_browser.py \
               $(patsubst %,tests/real/test_%.py,creating exhausted failures grants interrupts \
               journal locks mysql order robust rollouts runs_crash runs_review services streams \
               snapshot snapshot_traps terminal words) \
               $(patsubst %,tests/inspection/test_%.py,fingerprint_mysql fingerprint_postgresql \
               fingerprint_postgresql_names fingerprint_postgresql_random fingerprint_sqlite \
               reading_postgresql unreadable_mysql) \
               $(patsubst %,tests/ledger/test_%.py,holder losing opening plans)

# Compiled modules make every process of ours start three times as fast.
unexport PYTHONDONTWRITEBYTECODE

ONCE := -k "not mysql and not (mariadb and not (test_upgrade or test_connection or test_env_py))"

.DEFAULT_GOAL := help
.PHONY: help setup servers servers-newer test test-newest test-lowest test-slow test-servers lint format types floors \
        demo demo-web bench chaos schema lock clean

help:  ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(NEWEST)  ## Make .venv, with the newest versions of everything and this project in it

test: $(NEWEST) $(LOWEST) servers  ## Run every check: lint, types, floors, tests with the newest and lowest versions
	@$(MAKE) --no-print-directory lint types floors
	@$(MAKE) --no-print-directory test-newest
	@$(MAKE) --no-print-directory test-lowest

test-newest: $(NEWEST) servers  ## Run the tests with the newest versions
	@echo "== tests, newest versions"
	@$(BIN)/pytest -m "not slow" $(RUN)

test-lowest: $(LOWEST) servers  ## Run the tests with the lowest versions that pyproject.toml allows
	@echo "== tests, lowest versions"
	@.venv-lowest/bin/pytest -m "not slow" $(ONCE) $(addprefix --ignore=,$(ONLY_NEWEST)) $(RUN)

test-slow: $(NEWEST) $(THIRD) servers  ## Run what is slow by nature: others' histories, chaos, properties
	@echo "== slow tests"
	@THIRD_PARTY_PYTHON="$(CURDIR)/$(dir $(THIRD))bin/python" ORCHESTRATOR_TEST_EFFORT=full \
	    $(BIN)/pytest -m "slow or hypothesis" $(RUN)

test-servers: $(NEWEST) servers-newer  ## Run the tests that need servers on MariaDB 11.8 and PostgreSQL 18
	@echo "== tests, newer servers"
	@ORCHESTRATOR_TEST_NEWER=1 $(BIN)/pytest -m "not slow" $(RUN) \
	    tests/inspection tests/ledger tests/real tests/test_example.py tests/test_servers.py

lint: $(NEWEST)  ## Check style and format
	@echo "== lint"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check --diff .

format: $(NEWEST)  ## Put style and format right
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(NEWEST)  ## Check types
	@echo "== types"
	@$(BIN)/mypy

floors: $(NEWEST)  ## Check that modules import only from floors below their own
	@echo "== floors"
	@$(BIN)/lint-imports

demo: $(NEWEST)  ## Upgrade the example fleet on SQLite files under var/
	@scripts/demo

demo-web: $(NEWEST)  ## Roll out to 200 tenants of the example, and approve it in a browser
	@scripts/demo-web

bench: $(NEWEST) servers  ## Measure against shell loops and plain SQL: make bench ARGS="..."
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: $(NEWEST) servers  ## Kill whatever takes part in rollouts: make chaos ROUNDS=200 [SEED=...] [ARGS=--cluster]
	@$(BIN)/python -m tests.chaos $(addprefix --rounds=,$(ROUNDS)) $(addprefix --seed=,$(SEED)) $(ARGS)

schema: $(NEWEST)  ## Write environments.schema.json and docs/answers.schema.json from the models
	@$(BIN)/orchestrator config schema > environments.schema.json.new
	@mv environments.schema.json.new environments.schema.json
	@$(BIN)/orchestrator config schema --answers > docs/answers.schema.json.new
	@mv docs/answers.schema.json.new docs/answers.schema.json

lock: $(NEWEST)  ## Write the lock files from pyproject.toml
	@scripts/lock

clean:  ## Remove everything that was made here
	rm -rf .venv .venv-lowest .venv-third-party var build dist .orchestrator
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

servers:
	@scripts/install-servers

servers-newer:
	@scripts/install-servers newer

$(BIN)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or later is needed: make PYTHON=python3.11 ..." >&2; exit 1; }
	@PYTHON="$(PYTHON)" scripts/install-servers venv
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Installed without a build of its own: hatchling is in the lock file, too.
INSTALL = $(BIN)/uv pip sync --quiet --python $(@D)/bin/python $< && \
    $(BIN)/uv pip install --quiet --python $(@D)/bin/python --no-deps --no-build-isolation -e . && \
    touch $@

$(NEWEST): requirements/newest.txt pyproject.toml $(BIN)/uv
	@$(INSTALL)

$(LOWEST) $(THIRD): .venv-%/.ready: requirements/%.txt pyproject.toml $(BIN)/uv
	@$(@D)/bin/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(@D)
	@$(INSTALL)
