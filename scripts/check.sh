#!/usr/bin/env bash
# What `make check` runs: format, lint, types, who may import whom, contracts.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
$bin/ruff format --check --quiet .
$bin/ruff check --quiet .
$bin/mypy
$bin/lint-imports --no-logo
(cd hardhat-local && npm run --silent lint)
$bin/python scripts/compile_contracts.py --check
