"""Fixtures for every room. What starts a process lives in a file of its own, and starts it on first use."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent

pytest_plugins = [f"tests.{name}" for name in ("fixtures_chain", "fixtures_ipfs") if (_HERE / f"{name}.py").exists()]
