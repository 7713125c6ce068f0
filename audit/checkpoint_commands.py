"""``fedrx audit checkpoint``, ``cosigners`` and ``validators``: a block to trust, who signed it, who seals blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from audit.connections import ChainOptions, connect_ledger
from audit.options import RPCURL, CompareURL, CosignerAccounts, DeploymentFile, FinalityChoice
from audit.proofs.checkpoint import checkpoint_at, encode_checkpoint, read_cosigned_list
from audit.proofs.cosigned import Statement, by_block, disagreement, merged, statements_of
from audit.proofs.cosigners import Cosigners, cosigners_of, encode_cosigners, read_cosigners
from audit.proofs.seals import validators_of
from audit.proofs.validators import encode_validators
from gateways.data_folder import write_atomically
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.cosigning import encode_cosigned
from protocol.errors import AuditError, ConfigError, LedgerUnavailableError
from protocol.ports import Ledger

_REQUEST_SECONDS = 60.0
_MAX_BLOCK = 10**16 - 1
"""Of a checkpoint's body (docs/spec/checkpoint.md, section 1)."""


def checkpoint_command(
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write it.")],
    deployment: Annotated[Path | None, typer.Option("--deployment", help="The consortium's deployment file.")] = None,
    rpc: Annotated[str | None, typer.Option("--rpc", help="RPC endpoint of the chain.")] = None,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    block: Annotated[
        int | None, typer.Option("--block", min=0, max=_MAX_BLOCK, help="Which block; the newest final one.")
    ] = None,
    cosigned: Annotated[
        list[Path] | None,
        typer.Option("--cosigned", help="What fedrx node checkpoints --export wrote at a site; repeatable."),
    ] = None,
    accounts: CosignerAccounts = None,
) -> None:
    """Write a block's number and hash, to keep and to compare; with --cosigned, under the signatures of sites."""
    if (deployment is None) is not (rpc is None):
        raise ConfigError("--deployment and --rpc belong together", hint="give both, or with --cosigned neither")
    ledger = None
    if deployment is not None and rpc is not None:
        ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    if cosigned:
        _write_cosigned(out, cosigned, accounts, ledger, block)
        return
    if ledger is None:
        raise ConfigError("no chain is named", hint="give --deployment FILE and --rpc URL, or --cosigned FILE")
    made = checkpoint_at(ledger, block)
    write_atomically(out, encode_checkpoint(made))
    typer.echo(f"block {made.number}, {made.block_hash}: {out}")


def cosigners_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write it.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
) -> None:
    """Write the accounts that sign for the sites: a file to make once, to compare with the sites, and to keep."""
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    read_at = checkpoint_at(ledger, None)
    found = cosigners_of(ledger.events(ledger.identity.deployment_block_number, read_at.number), read_at)
    write_atomically(out, encode_cosigners(found))
    sites = {one.site_id for one in found.accounts if one.until_block is None}
    typer.echo(f"{len(found.accounts)} accounts of {len(sites)} sites, as of block {read_at.number}: {out}")


def validators_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write it.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    block: Annotated[
        int | None, typer.Option("--block", min=1, max=_MAX_BLOCK, help="Which block names them; the newest final one.")
    ] = None,
) -> None:
    """Write the validators of a QBFT or IBFT 2.0 chain: a file to compare with the operators, and to keep."""
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    at = checkpoint_at(ledger, block)
    (header,) = BlockReader(RPCEndpoint(rpc, timeout_seconds=_REQUEST_SECONDS)).headers(at.number, at.number)
    found = validators_of(header, ledger.identity)
    if found.read_at != at:
        raise LedgerUnavailableError("the chain reorganised while it was read", hint="run the command again")
    write_atomically(out, encode_validators(found))
    for account in found.accounts:
        typer.echo(str(account))
    typer.echo(
        f"{len(found.accounts)} validators, of whom {found.seals_needed} seal a block, as of block {at.number}: {out}"
    )


def _write_cosigned(
    out: Path, files: Sequence[Path], accounts: Path | None, ledger: Ledger | None, block: int | None
) -> None:
    if accounts is None:
        raise ConfigError("--cosigned needs --accounts FILE", hint="fedrx audit cosigners writes it")
    cosigners = read_cosigners(accounts)
    statements = [one for file in files for one in _statements(file, cosigners)]
    wrong = [*_wrong_list(cosigners, ledger), *_wrong_blocks(statements, ledger)]
    for line in wrong:
        typer.echo(line)
    if wrong:
        raise AuditError(
            "the sites' checkpoints do not fit together", hint="show these lines and the files to every site"
        )
    note = merged(statements, block)
    write_atomically(out, encode_cosigned(note))
    at, sites = note.checkpoint, ", ".join(line.name for line in note.signatures)
    typer.echo(f"block {at.number}, {at.block_hash}, signed by {sites}: {out}")


def _statements(file: Path, cosigners: Cosigners) -> Iterator[Statement]:
    for note in read_cosigned_list(file):
        try:
            yield from statements_of(note, cosigners)
        except AuditError as error:
            raise AuditError(f"{file}, block {note.checkpoint.number}: {error.what}", hint=error.hint) from error


def _wrong_list(cosigners: Cosigners, ledger: Ledger | None) -> list[str]:
    """The list of accounts is a checkpoint too: it was read from a history that should still be there."""
    at = cosigners.read_at
    if ledger is None or ledger.block_hash(at.number) == at.block_hash:
        return []
    return [f"block {at.number}: the chain no longer holds {at.block_hash}, where the list of accounts was read"]


def _wrong_blocks(statements: Sequence[Statement], ledger: Ledger | None) -> list[str]:
    lines = []
    for number, signed in by_block(statements).items():
        on_chain = None if ledger is None else ledger.block_hash(number)
        lines += disagreement(number, signed, on_chain, asked=ledger is not None)
    return lines
