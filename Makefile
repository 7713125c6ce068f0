# Two commands matter: `make demo` and `make test`. Both set everything up on a fresh machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .setup
PYTHON ?= python3

.PHONY: help setup demo test test-all check format lock contracts clean tools test-tools

help:  ## Shows this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

tools:
	@PYTHON="$(PYTHON)" scripts/check_tools.sh

test-tools:
	@scripts/test_tools.sh

setup: tools $(STAMPS)/python $(STAMPS)/chain $(STAMPS)/fonts  ## Installs everything from the lock files

$(STAMPS)/python: requirements.lock pyproject.toml
	@mkdir -p $(STAMPS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMPS)/chain: hardhat-local/package-lock.json
	@mkdir -p $(STAMPS)
	cd hardhat-local && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(STAMPS)/fonts: fonts/package-lock.json
	@mkdir -p $(STAMPS)
	cd fonts && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

demo: setup  ## Four sites, one aggregator, three rounds, an audit: KEEP=1 leaves it up, DATA=folder uses your own pages
	$(BIN)/python -m scripts.demo $(if $(KEEP),--keep) $(if $(DATA),--data "$(DATA)")

test: test-tools setup check  ## Checks and tests, under 15 minutes on two cores
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-all: test-tools setup check  ## The slow tier too
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: setup  ## ruff, mypy, import-linter, solhint
	scripts/check.sh

format: setup  ## Formats Python and Solidity
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .
	cd hardhat-local && npm run --silent format

contracts: setup  ## Compiles the contracts and writes gateways/abi
	$(BIN)/python scripts/compile_contracts.py

lock: $(STAMPS)/python  ## Resolves pyproject.toml into requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-annotate --no-header -o requirements.lock pyproject.toml

clean:  ## Removes what set-up and demo made
	rm -rf $(VENV) $(STAMPS) .demo hardhat-local/node_modules fonts/node_modules
