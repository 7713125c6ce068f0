"""The accounts that sign for the sites (docs/spec/checkpoint.md, section 4), as a file to keep and trust."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from audit.small_files import parsed, read_small
from protocol import canonical_json
from protocol import ledger_events as ev
from protocol.canonical_json import JSONValue, expect_int, expect_list, expect_object, expect_str
from protocol.checkpoint import Checkpoint
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash, SiteId
from protocol.ledger_events import LocatedEvent

FORMAT = "fedrx-cosigners/1"
_MAX_BYTES = 4 << 20
_KEYS = frozenset({"format", "chain_id", "contract_address", "block_number", "block_hash", "accounts"})
_ACCOUNT_KEYS = frozenset({"site_id", "account", "until_block"})


@dataclass(frozen=True, slots=True)
class SiteAccount:
    """An account of a site."""

    site_id: SiteId
    account: AccountAddress
    until_block: int | None
    """Where another account came in its place, or the site left: it signs for earlier blocks alone. None: it holds."""


@dataclass(frozen=True, slots=True)
class Cosigners:
    """Whose signature under a checkpoint is whose. Trusted as a deployment file is."""

    read_at: Checkpoint
    """The block up to which the membership events were read."""
    accounts: tuple[SiteAccount, ...]
    """In chain order."""

    def at(self, block_number: int) -> dict[SiteId, frozenset[AccountAddress]]:
        """Who may sign for a block. A suspended site may: whom the governor suspends saw the same chain."""
        found: dict[SiteId, set[AccountAddress]] = defaultdict(set)
        for one in self.accounts:
            if one.until_block is None or block_number < one.until_block:
                found[one.site_id].add(one.account)
        return {site_id: frozenset(accounts) for site_id, accounts in found.items()}


def cosigners_of(events: Iterable[LocatedEvent], read_at: Checkpoint) -> Cosigners:
    """The accounts that the membership events give.

    Args:
        events: All of the deployment up to ``read_at``, in chain order.
        read_at: The last block that was read.

    Raises:
        MalformedError: An account is replaced that no earlier event gave: the logs are not whole.
    """
    held: dict[AccountAddress, SiteAccount] = {}
    for located in events:
        event, number = located.event, located.position.block_number
        match event:
            case ev.SiteAdmitted():
                held[event.account] = SiteAccount(event.site_id, event.account, None)
            case ev.SiteAccountRotated():
                if event.previous_account not in held:
                    raise MalformedError("an account was replaced that no site had: logs are missing")
                held[event.previous_account] = replace(held[event.previous_account], until_block=number)
                held[event.account] = SiteAccount(event.site_id, event.account, None)
            case ev.SiteLeft():
                for account, one in held.items():
                    if one.site_id == event.site_id and one.until_block is None:
                        held[account] = replace(one, until_block=number)
            case _:
                pass
    return Cosigners(read_at, tuple(held.values()))


def encode_cosigners(cosigners: Cosigners) -> bytes:
    """The file's bytes."""
    read_at = cosigners.read_at
    return canonical_json.encode(
        {
            "format": FORMAT,
            "chain_id": read_at.chain_id,
            "contract_address": str(read_at.contract_address),
            "block_number": read_at.number,
            "block_hash": str(read_at.block_hash),
            "accounts": [
                {"site_id": str(one.site_id), "account": str(one.account), "until_block": one.until_block}
                for one in cosigners.accounts
            ],
        }
    )


def parse_cosigners(data: bytes) -> Cosigners:
    """Reads what ``encode_cosigners`` wrote.

    Raises:
        MalformedError: Not such a file, or one account stands in it twice.
    """
    value = canonical_json.parse_object(data, _KEYS)
    if value["format"] != FORMAT:
        raise MalformedError(f"not a {FORMAT} file", hint="make one with fedrx audit cosigners")
    read_at = Checkpoint(
        chain_id=expect_int(value["chain_id"]),
        contract_address=AccountAddress.from_hex(expect_str(value["contract_address"])),
        number=expect_int(value["block_number"]),
        block_hash=BlockHash.from_hex(expect_str(value["block_hash"])),
    )
    cosigners = Cosigners(read_at, tuple(_account(one) for one in expect_list(value["accounts"])))
    if len({one.account for one in cosigners.accounts}) != len(cosigners.accounts):
        raise MalformedError("an account stands twice in the list of cosigners", hint="no site shares its account")
    if encode_cosigners(cosigners) != data:
        raise MalformedError("the list of cosigners is not in its canonical spelling", hint="write hex in lower case")
    return cosigners


def read_cosigners(path: Path) -> Cosigners:
    """The list of a file.

    Raises:
        ConfigError: It cannot be read, or is too long.
        MalformedError: Not such a file.
    """
    return parsed(path, read_small(path, _MAX_BYTES), parse_cosigners, "fedrx audit cosigners")


def _account(value: JSONValue) -> SiteAccount:
    fields = expect_object(value, _ACCOUNT_KEYS)
    until = fields["until_block"]
    return SiteAccount(
        site_id=SiteId.from_hex(expect_str(fields["site_id"])),
        account=AccountAddress.from_hex(expect_str(fields["account"])),
        until_block=None if until is None else expect_int(until),
    )
