"""The one exception tree.

::

    FederationError
    ├── ConfigError                 a setting, file or argument of the operator is wrong          exit 2
    ├── KeyRingError                a secret cannot be opened or is missing                       exit 3
    │   └── WrongPassphraseError
    ├── LedgerError                 the chain                                                     exit 4
    │   ├── LedgerUnavailableError      no answer from the RPC endpoint
    │   ├── WrongChainError             this is another chain, or no contract is there
    │   ├── ReceiptTimeoutError         sent, but not yet in a block
    │   └── TransactionRevertedError    the contract refused (one subclass per Solidity error: ``reverts``)
    ├── BlockStoreError             IPFS                                                          exit 5
    │   ├── BlockStoreUnavailableError  no answer from the endpoint
    │   ├── ContentMissingError         nobody delivered the CID in time
    │   ├── ContentMismatchError        other bytes than the CID names
    │   └── ContentTooLargeError        more bytes than the caller allows
    ├── MalformedError              bytes that do not follow their specification                  exit 6
    ├── VerificationError           an update refused, with its verdict code                      exit 6
    ├── ConsentError                consent missing, expired, withdrawn or badly signed           exit 7
    ├── PrescriptionError           a page cannot be imported or read                             exit 8
    │   └── QuarantinedError            kept aside with a reason
    ├── LearningError               training or a backbone                                        exit 9
    ├── StoreError                  the local store or journal                                    exit 10
    │   └── StoreLockedError            another process owns the data folder
    └── AuditError                  a replay found a difference or a missing piece                exit 11

A name ends in ``Error``; attributes are typed; a bug stays a ``RuntimeError``; exceptions of other libraries never
cross a port. ``str(error)`` is one line for the operator: what happened, then what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from protocol.identifiers import CID, TxHash
    from protocol.verdicts import VerdictCode


class FederationError(Exception):
    """Root of every failure that is expected in operation.

    Args:
        what: What happened, one clause without a full stop.
        hint: What to do about it, one clause; empty when nothing can be done.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(f"{what}. {hint}" if hint else what)
        self.what = what
        self.hint = hint


class ConfigError(FederationError):
    """A setting, file or argument of the operator is wrong."""

    exit_code = 2


class KeyRingError(FederationError):
    """A secret cannot be opened or is missing."""

    exit_code = 3


class WrongPassphraseError(KeyRingError):
    """The passphrase does not open the keystore."""


class LedgerError(FederationError):
    """The chain did not do what was asked."""

    exit_code = 4


class LedgerUnavailableError(LedgerError):
    """The RPC endpoint gave no usable answer; the call may be retried."""


class WrongChainError(LedgerError):
    """The chain behind the endpoint is not the deployment's, or holds no contract at its address."""


class ReceiptTimeoutError(LedgerError):
    """A transaction was sent and is not yet in a block; it may still be included."""

    def __init__(self, tx_hash: TxHash, timeout_seconds: float) -> None:
        super().__init__(
            f"transaction {tx_hash} is in no block after {timeout_seconds:.0f} s",
            hint="it may still be included: the daemon looks for it again before it sends anything twice",
        )
        self.tx_hash = tx_hash


class TransactionRevertedError(LedgerError):
    """The contract refused the call. ``reverts`` has one subclass for each Solidity error."""


class BlockStoreError(FederationError):
    """IPFS did not do what was asked."""

    exit_code = 5


class BlockStoreUnavailableError(BlockStoreError):
    """The IPFS RPC endpoint gave no usable answer; the call may be retried."""


class ContentMissingError(BlockStoreError):
    """Nobody delivered the content in time. Availability, not guilt: a later try may succeed."""

    def __init__(self, cid: CID, timeout_seconds: float) -> None:
        super().__init__(
            f"{cid} was not delivered within {timeout_seconds:.0f} s",
            hint="check that a peer that holds it is connected (fedrx audit availability)",
        )
        self.cid = cid


class ContentMismatchError(BlockStoreError):
    """The bytes delivered are not the bytes that the CID names."""

    def __init__(self, cid: CID) -> None:
        super().__init__(f"the bytes delivered for {cid} are not its bytes", hint="the block store is damaged or lies")
        self.cid = cid


class ContentTooLargeError(BlockStoreError):
    """The content is longer than the caller allows."""

    def __init__(self, cid: CID, max_bytes: int) -> None:
        super().__init__(f"{cid} is longer than {max_bytes} bytes")
        self.cid = cid
        self.max_bytes = max_bytes


class MalformedError(FederationError):
    """Bytes that do not follow their specification (docs/spec/)."""

    exit_code = 6


class VerificationError(FederationError):
    """An update is refused.

    Attributes:
        code: The verdict code that goes on chain (docs/spec/verification.md).
    """

    exit_code = 6

    def __init__(self, code: VerdictCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class ConsentError(FederationError):
    """Consent is missing, expired, withdrawn, or its receipt is badly signed."""

    exit_code = 7


class PrescriptionError(FederationError):
    """A page cannot be imported or read."""

    exit_code = 8


class QuarantinedError(PrescriptionError):
    """A file is kept aside.

    Attributes:
        reason: A stable word for the reason, such as ``corrupt`` or ``too-many-pixels``.
    """

    def __init__(self, reason: str, what: str, *, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.reason = reason


class LearningError(FederationError):
    """Training cannot run, or a backbone is not the one that was named."""

    exit_code = 9


class StoreError(FederationError):
    """The local store or journal cannot be read or written."""

    exit_code = 10


class StoreLockedError(StoreError):
    """Another process owns the data folder."""


class AuditError(FederationError):
    """A replay found a difference or a missing piece."""

    exit_code = 11
