"""Deploys the contract and writes the deployment file, or verifies one (docs/spec/deployment.md).

Usage::

    python scripts/deploy.py --rpc URL --governor ADDRESS --key-file FILE --out deployment.json
    python scripts/deploy.py --rpc URL --governor ADDRESS --unlocked-account --out deployment.json
    python scripts/deploy.py --rpc URL --verify deployment.json

Without ``--key-file`` or ``--unlocked-account`` the deployer's key is asked for; it is never an argument. The deployer
keeps nothing: the governor governs from the first block on. Running it again with the same ``--out`` changes nothing.
``--verify`` compiles contracts/ as they are and compares with the code on the chain; it needs ``npm ci`` in
hardhat-local, deploying does not.
"""

from __future__ import annotations

import argparse
import getpass
import stat
import sys
from pathlib import Path

from gateways.data_folder import write_atomically
from gateways.deployment_file import load_deployment
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.signers import KeySigner, Signer, UnlockedAccount
from gateways.ledger.web3_ledger import Web3Ledger
from protocol.deployment import Predecessor, encode_deployment
from protocol.errors import ConfigError, FederationError, MalformedError, WrongChainError
from protocol.identifiers import AccountAddress, digest_of


def read_key(path: Path) -> bytes:
    """The private key of a file: 64 hex digits, readable by its owner only.

    Raises:
        ConfigError: The file cannot be read, others can read it, or it holds no key.
    """
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigError(f"{path} is readable by others", hint=f"run `chmod 600 {path}`")
        return parse_key(path.read_text(encoding="ascii"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} holds no key", hint="write 64 hex digits") from error


def parse_key(text: str) -> bytes:
    """The private key of 64 hex digits, with or without 0x.

    Raises:
        ConfigError: Not that.
    """
    try:
        key = bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        # The message of `fromhex` would quote a piece of the key.
        key = b""
    if len(key) != 32:
        raise ConfigError("the deployer's key is not 64 hex digits")
    return key


def _signer(arguments: argparse.Namespace) -> Signer:
    if arguments.unlocked_account:
        accounts = unlocked_accounts(arguments.rpc)
        if not accounts:
            raise ConfigError("the chain signs for no account", hint="give --key-file")
        return UnlockedAccount(accounts[0])
    if arguments.key_file is not None:
        return KeySigner(read_key(arguments.key_file))
    return KeySigner(parse_key(getpass.getpass("The deployer's key, 64 hex digits: ")))


def _deploy(arguments: argparse.Namespace) -> str:
    if arguments.out.exists():
        deployment = load_deployment(arguments.out)
        try:
            Web3Ledger.connect(arguments.rpc, deployment)
        except WrongChainError as error:
            raise ConfigError(
                f"{arguments.out} is another deployment's: {error.what}", hint="move it away, or choose another --out"
            ) from error
        return f"{deployment.contract_address} is deployed, nothing was changed: {arguments.out}"
    predecessor = None
    if arguments.predecessor is not None:
        previous = load_deployment(arguments.predecessor)
        predecessor = Predecessor(previous.chain_id, previous.contract_address)
    try:
        governor = AccountAddress.from_hex(arguments.governor)
    except MalformedError as error:
        raise ConfigError(f"--governor {arguments.governor} is no account") from error
    deployment = deploy(
        arguments.rpc, _signer(arguments), governor=governor, predecessor=predecessor, finality=arguments.finality
    )
    write_atomically(arguments.out, encode_deployment(deployment), mode=0o644)
    return f"deployed {deployment.contract_address}, governed by {governor}: {arguments.out}"


def _verify(arguments: argparse.Namespace) -> str:
    from scripts.compile_contracts import compile_suite  # noqa: PLC0415 (needs the compiler)

    deployment = load_deployment(arguments.verify)
    Web3Ledger.connect(arguments.rpc, deployment)
    compiled = compile_suite()
    if compiled["compiler"] != deployment.compiler:
        raise ConfigError(f"the deployment was compiled by {deployment.compiler}, not {compiled['compiler']}")
    if compiled["runtime_code_digest"] != str(deployment.runtime_code_digest):
        raise WrongChainError("the code on the chain is not what contracts/ compiles to", hint="check out its version")
    creation_code = bytes.fromhex(compiled["bytecode"].removeprefix("0x"))
    if digest_of("contract-code", creation_code) != deployment.creation_code_digest:
        raise WrongChainError("the deployed creation code is not what contracts/ compiles to")
    return f"verified: the code at {deployment.contract_address} is what contracts/ compiles to, on the named chain"


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Deploy the contract, or verify a deployment.")
    parser.add_argument("--rpc", required=True, help="JSON-RPC URL of the chain")
    parser.add_argument("--governor", help="account that will govern; a multisig outside demonstrations")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--key-file", type=Path, help="the deployer's key, 64 hex digits, mode 600")
    keys.add_argument("--unlocked-account", action="store_true", help="the first account of a development chain")
    parser.add_argument("--predecessor", type=Path, help="deployment file of the suite before")
    parser.add_argument("--finality", choices=["latest", "finalized"], default="latest")
    parser.add_argument("--out", type=Path, help="deployment file to write")
    parser.add_argument("--verify", type=Path, help="deployment file to compare with the chain and contracts/")
    arguments = parser.parse_args(argv)
    if arguments.verify is None and (arguments.governor is None or arguments.out is None):
        parser.error("give --governor and --out, or --verify")
    try:
        print(_deploy(arguments) if arguments.verify is None else _verify(arguments))
    except FederationError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
