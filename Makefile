# Interpile: everything a developer runs. Bare `make` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

# Only this checkout's environment counts, whatever the caller has activated. Without bytecode every process
# that a test starts would compile the project anew.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME PYTHONWARNINGS PYTHONSTARTUP PYTHONDONTWRITEBYTECODE

# `make demo ONCE=1` and `ONCE=1 make demo` mean the same.
PASSED_ON := ONCE SPEED REPORT STATIONS ONLY DATABASE_URL DATABASE_MIGRATION_URL
$(foreach name,$(PASSED_ON),$(if $($(name)),$(eval export $(name))))

# In CI the log is all that remains, so it says more.
PYTEST_ARGS ?= $(if $(CI),-ra --durations=25,-q)
# Four workers for two cores, for much of the suite waits for processes. They share it file by file, so that what
# a file sets up once is set up once; in the order of names, for the longest files are in browser/, contract/ and
# faults/, and short ones end the run.
PYTEST_WORKERS := --numprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: help setup check format test simulate mutants faults soak contracts contracts-check demo demo-production bench lock clean

help:
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo

##@ Set up

setup: $(STAMP) ## create .venv from requirements.lock; does nothing when it is up to date

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "setup: Python 3.11 or newer is needed, and '$(PYTHON)' is not one; name another: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "setup: '$(PYTHON) -m venv' does not work here; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@echo "setup: creating $(VENV)"
	@rm -f $(STAMP)
	@$(PYTHON) -m venv $(VENV)
	@echo "setup: installing what requirements.lock lists"
	@$(PIP) install --require-hashes --requirement requirements.lock
	@echo "setup: installing the project itself"
	@# compat: a plain path entry, so that a package created later is found without installing again
	@$(PIP) install --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $(STAMP)
	@echo "setup: ready"

lock: ## write requirements.lock anew from pyproject.toml, newest versions
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	echo "lock: fetching the resolver"; \
	$(PYTHON) -m venv "$$scratch/venv"; \
	"$$scratch/venv/bin/python" -m pip -qq --disable-pip-version-check install uv; \
	echo "lock: resolving"; \
	"$$scratch/venv/bin/uv" pip compile pyproject.toml --all-extras --python-version 3.11 --upgrade \
		--generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock; \
	echo "lock: requirements.lock lists $$(grep -c == requirements.lock) packages"

clean: ## remove .venv, caches, build products and what runs left behind
	@rm -rf $(VENV) build dist var *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis bench.json
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

##@ While writing

format: setup ## format the code and repair what the linter can
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

check: setup ## format, lint, types, import rules, published contracts
	@echo "check: format";    $(BIN)/ruff format --check .
	@echo "check: lint";      $(BIN)/ruff check .
	@echo "check: types";     $(BIN)/mypy
	@echo "check: imports";   $(BIN)/lint-imports
	@echo "check: contracts"; $(MAKE) --no-print-directory contracts-check

test: setup ## the whole test suite; PYTEST_ARGS="-k netting" narrows it
	@INTERPILE_ENV=test $(BIN)/python -m pytest $(PYTEST_WORKERS) $(PYTEST_ARGS)

simulate: setup ## seeds of the simulator; takes SEEDS FROM SESSIONS WORKERS, and for one seed TRACE and KEEP
	@INTERPILE_ENV=test $(BIN)/python -m tests.simulation $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FROM),--from $(FROM)) \
		$(if $(SESSIONS),--sessions $(SESSIONS)) $(if $(WORKERS),--workers $(WORKERS)) \
		$(if $(TRACE),--trace $(TRACE)) $(if $(KEEP),--keep $(KEEP))

mutants: setup ## plant a bug at a time; its proof must catch it; takes ONLY (a word) and WORKERS
	@INTERPILE_ENV=test $(BIN)/python -m tests.mutants $(if $(ONLY),--only $(ONLY)) $(if $(WORKERS),--workers $(WORKERS))

faults: setup ## the money core under kills, lost answers, full disks and wrong clocks; takes ROUNDS (20)
	@INTERPILE_ENV=test INTERPILE_FAULT_ROUNDS=$(or $(ROUNDS),20) $(BIN)/python -m pytest \
		--timeout 1800 $(PYTEST_ARGS) $(sort $(wildcard tests/faults/test_money_*.py))

soak: setup ## T/CEC 102 partners killed, silent, slow, lying and replaying under load; takes SECONDS (600)
	@INTERPILE_ENV=test $(BIN)/python -m tests.soak --seconds $(or $(SECONDS),600)

##@ Published contracts

contracts: setup ## export OpenAPI, GraphQL, JSON Schema and the rest into schema/
	@$(BIN)/python -m hub.export_contracts schema
	@$(BIN)/python -m edge_agent.export_contracts schema
	@$(BIN)/python -m mobile_bff.export_schema schema

contracts-check: setup ## fail when schema/ differs from what the code would export
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$(BIN)/python -m hub.export_contracts "$$scratch/schema"; \
	$(BIN)/python -m edge_agent.export_contracts "$$scratch/schema"; \
	$(BIN)/python -m mobile_bff.export_schema "$$scratch/schema"; \
	diff --recursive --unified=1 schema "$$scratch/schema" || { \
		echo "contracts-check: schema/ is out of date; run 'make contracts' and commit the result" >&2; exit 1; }

##@ Run

demo: setup ## a small network on this machine, embedded; takes ONCE SPEED REPORT STATIONS
	@INTERPILE_ENV=demo $(BIN)/python -m operator_sdk.examples.demo

demo-production: setup ## the same on PostgreSQL, Redis and RabbitMQ; takes DATABASE_URL DATABASE_MIGRATION_URL too
	@INTERPILE_ENV=demo $(BIN)/python -m operator_sdk.examples.demo --production

bench: setup ## measure and write bench.json; ONLY=graphql takes figures by prefix, PROFILE=1 profiles
	@INTERPILE_ENV=test $(BIN)/python -m tests.bench
