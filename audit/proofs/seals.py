"""Validators' seals in place of a block hash that is trusted (docs/spec/checkpoint.md, section 8).

Fails closed, and names the step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from eth_utils.crypto import keccak

from audit.proofs.validators import Validators
from gateways.ledger.bft_header import HeaderSeals
from gateways.ledger.block_bytes import header_seals, parse_header
from protocol.checkpoint import Checkpoint
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.identifiers import AccountAddress
from protocol.ports import ChainIdentity

SEALS = "seals"
_HIGHEST_RECOVERY_ID = 1

Trusted: TypeAlias = Checkpoint | Validators
"""What a reader brings: a block, or those whose seals make a block final."""


@dataclass(frozen=True, slots=True)
class TrustedBlock:
    """A block, and why it is trusted."""

    checkpoint: Checkpoint
    sealed_by: tuple[AccountAddress, ...] = ()
    """Validators whose seals it bears; none where its hash is what is trusted."""


def trusted_block(trusted: Trusted, header: bytes) -> TrustedBlock:
    """The block that a file may stand on.

    Args:
        trusted: The reader's.
        header: RLP of the file's last header, from anybody. A checkpoint has no need of it.

    Raises:
        AuditError: As ``sealed_block``.
    """
    return TrustedBlock(trusted) if isinstance(trusted, Checkpoint) else sealed_block(trusted, header)


def sealed_block(validators: Validators, header: bytes) -> TrustedBlock:
    """The block of a header that enough validators sealed.

    Args:
        validators: Trusted.
        header: RLP, from anybody.

    Raises:
        AuditError: At the step ``seals``: it is not sealed by enough of the validators, or bears another seal, or names
            other validators.
    """
    try:
        block, seals = parse_header(header), header_seals(header)
        signers = [_signer(seal, seals.sealed_hash) for seal in seals.seals]
    except MalformedError as error:
        raise _failed(f"{error.what} (last block)") from error
    _require_same_validators(seals, validators, block.number)
    _require_enough(signers, validators, block.number)
    known = validators.read_at
    checkpoint = Checkpoint(known.chain_id, known.contract_address, block.number, block.block_hash)
    return TrustedBlock(checkpoint, tuple(sorted(signers)))


def validators_of(header: bytes, identity: ChainIdentity) -> Validators:
    """The validators that a header names, who sealed it themselves.

    Args:
        header: RLP, from an endpoint.
        identity: Of the deployment.

    Raises:
        ConfigError: The header names none.
        AuditError: At the step ``seals``: those that it names did not seal it.
    """
    block = parse_header(header)
    try:
        named = sorted(set(header_seals(header).validators))
    except MalformedError as error:
        raise ConfigError(
            f"block {block.number} bears no seals: {error.what}", hint="trust a checkpoint on this chain"
        ) from error
    if not named:
        raise ConfigError(
            f"block {block.number} names no validators: a contract of the chain does",
            hint="seals cannot be checked there; trust a checkpoint",
        )
    read_at = Checkpoint(identity.chain_id, identity.contract_address, block.number, block.block_hash)
    found = Validators(read_at, identity.deployment_block_number, identity.deployment_block_hash, tuple(named))
    sealed_block(found, header)
    return found


def _require_same_validators(seals: HeaderSeals, trusted: Validators, number: int) -> None:
    if sorted(seals.validators) != list(trusted.accounts):
        gone = _listed(set(trusted.accounts) - set(seals.validators))
        new = _listed(set(seals.validators) - set(trusted.accounts))
        raise _failed(
            f"block {number} names other validators than are trusted (new: {new}; gone: {gone})",
            hint="where they were changed, make a new list with fedrx audit validators and compare it",
        )


def _require_enough(signers: list[AccountAddress], trusted: Validators, number: int) -> None:
    strangers = set(signers) - set(trusted.accounts)
    if strangers:
        raise _failed(f"block {number} bears a seal of {_listed(strangers)}, who is no validator, or of another header")
    if len(set(signers)) != len(signers):
        raise _failed(f"a validator sealed block {number} twice")
    if len(signers) < trusted.seals_needed:
        raise _failed(
            f"{len(signers)} of {len(trusted.accounts)} validators sealed block {number}, not {trusted.seals_needed}"
        )


def _signer(seal: bytes, sealed_hash: bytes) -> AccountAddress:
    # Imported here: the curve's library is needed where seals are, and nowhere else in the auditor's commands.
    from coincurve import PublicKey  # noqa: PLC0415

    if seal[-1] > _HIGHEST_RECOVERY_ID:
        raise MalformedError("a seal is no signature")
    try:
        key = PublicKey.from_signature_and_message(seal, sealed_hash, hasher=None)
    except ValueError as error:
        raise MalformedError("a seal is no signature") from error
    return AccountAddress(keccak(key.format(compressed=False)[1:])[12:])


def _listed(accounts: Iterable[AccountAddress]) -> str:
    return ", ".join(str(account) for account in sorted(accounts)) or "none"


def _failed(why: str, hint: str = "it shows nothing; ask for a file that ends with a sealed block") -> AuditError:
    return AuditError(f"the file fails at the step {SEALS}: {why}", hint=hint)
