"""Compiles contracts/ and writes gateways/abi/FedRx.json, which ships in the package.

Usage::

    python scripts/compile_contracts.py            # compile and write
    python scripts/compile_contracts.py --check    # compile and compare with the committed file

Needs ``npm ci`` in hardhat-local (the compiler and OpenZeppelin); a site needs neither. The bytecode carries no
metadata, so it depends on the sources, the compiler and the settings only, and not on where the checkout lies.
"""

from __future__ import annotations

import argparse
import json
import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from protocol.errors import ConfigError, FederationError
from protocol.identifiers import digest_of

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
MODULES = ROOT / "hardhat-local" / "node_modules"
COMPILER_FOLDER = ROOT / "hardhat-local" / "compiler"
ARTIFACT = ROOT / "gateways" / "abi" / "FedRx.json"
COMPILER_VERSION = "0.8.37"
SETTINGS: dict[str, Any] = {
    "viaIR": True,
    "optimizer": {"enabled": True, "runs": 10_000},
    "evmVersion": "cancun",
    "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
}
_IMPORT = re.compile(r"""^\s*import\s[^;]*?["']([^"']+)["']\s*;""", re.MULTILINE)


def read_sources() -> dict[str, str]:
    """Every contract of ours and all that it imports, by source name.

    Raises:
        ConfigError: An import is not there.
    """
    pending = [path.relative_to(ROOT).as_posix() for path in sorted(CONTRACTS.rglob("*.sol"))]
    sources: dict[str, str] = {}
    while pending:
        name = pending.pop()
        if name in sources:
            continue
        path = ROOT / name if name.startswith("contracts/") else MODULES / name
        if not path.is_file():
            raise ConfigError(f"{name} is not there", hint="run `npm ci` in hardhat-local")
        sources[name] = path.read_text(encoding="utf-8")
        for target in _IMPORT.findall(sources[name]):
            relative = target.startswith(".")
            pending.append(posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if relative else target)
    return dict(sorted(sources.items()))


def compile_suite() -> dict[str, Any]:
    """The content of gateways/abi/FedRx.json for the sources as they are now.

    Raises:
        ConfigError: The compiler is not installed, or refuses or warns about a source of ours.
    """
    if not (MODULES / "solc").is_dir():
        raise ConfigError("the Solidity compiler is not installed", hint="run `npm ci` in hardhat-local")
    # py-solc-x looks for its compilers in this folder; its own download is not used.
    os.environ["SOLCX_BINARY_PATH"] = str(COMPILER_FOLDER)
    import solcx  # noqa: PLC0415 (reads the variable above)

    sources = read_sources()
    request = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": SETTINGS
        | {"outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}}},
    }
    try:
        answer = solcx.compile_standard(request, solc_version=COMPILER_VERSION)
    except solcx.exceptions.SolcError as error:
        raise ConfigError(f"the contracts do not compile: {error.message}") from error
    for problem in answer.get("errors", []):
        if problem["severity"] != "info" and problem.get("sourceLocation", {}).get("file", "").startswith("contracts/"):
            raise ConfigError(f"the compiler warns: {problem['formattedMessage']}")
    return _artifact(sources, answer["contracts"]["contracts/FedRx.sol"]["FedRx"])


def encode_artifact(artifact: dict[str, Any]) -> str:
    """The text of the file: sorted and indented, so that a change reads well in a diff."""
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def _artifact(sources: dict[str, str], suite: dict[str, Any]) -> dict[str, Any]:
    runtime_code = bytes.fromhex(suite["evm"]["deployedBytecode"]["object"])
    return {
        "abi": suite["abi"],
        "bytecode": "0x" + suite["evm"]["bytecode"]["object"],
        "compiler": COMPILER_VERSION,
        "contract": "FedRx",
        "runtime_code_bytes": len(runtime_code),
        "runtime_code_digest": str(digest_of("contract-code", runtime_code)),
        "settings": SETTINGS,
        "sources": {name: str(digest_of("contract-source", text.encode("utf-8"))) for name, text in sources.items()},
    }


def main() -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Compile contracts/ into gateways/abi/FedRx.json.")
    parser.add_argument("--check", action="store_true", help="compare with the committed file, write nothing")
    arguments = parser.parse_args()
    try:
        artifact = compile_suite()
    except FederationError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    text = encode_artifact(artifact)
    if arguments.check:
        if not ARTIFACT.is_file() or ARTIFACT.read_text(encoding="utf-8") != text:
            print("gateways/abi/FedRx.json is not what contracts/ compiles to; run this without --check")
            return 1
        print("gateways/abi/FedRx.json is what contracts/ compiles to")
        return 0
    temporary = ARTIFACT.with_suffix(".json.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(ARTIFACT)
    print(f"wrote {ARTIFACT.relative_to(ROOT)}: {artifact['runtime_code_bytes']} bytes of code")
    return 0


if __name__ == "__main__":
    sys.exit(main())
