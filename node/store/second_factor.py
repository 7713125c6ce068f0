"""What a transaction may do with authenticators: the patients' own, and those of the staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from node.consent.second_factor import CodeRefused, CodeState, CodeTaken, new_secret, try_code
from node.store.local_store import Transaction, new_id
from node.store.sealing import Place, SealingKey
from node.store.tables import Table
from protocol.canonical_json import encode, parse
from protocol.errors import ConfigError, ConsentError


class PatientAuthenticator(Table):
    """The authenticator on a patient's telephone."""

    __tablename__ = "patient_authenticators"

    patient_id: Mapped[bytes] = mapped_column(ForeignKey("patients.id"), primary_key=True)
    sealed_secret: Mapped[bytes]
    last_counter: Mapped[int]
    wrong_at: Mapped[bytes]
    """Canonical JSON list of seconds since 1970."""
    locked_until: Mapped[int]


class StaffAuthenticator(Table):
    """The authenticator on a staff member's telephone."""

    __tablename__ = "staff_authenticators"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """16 random bytes."""
    name_tag: Mapped[bytes] = mapped_column(unique=True)
    sealed_name: Mapped[bytes]
    sealed_secret: Mapped[bytes]
    last_counter: Mapped[int]
    wrong_at: Mapped[bytes]
    """Canonical JSON list of seconds since 1970."""
    locked_until: Mapped[int]


@dataclass(frozen=True, slots=True)
class _Opened:
    row: PatientAuthenticator | StaffAuthenticator
    secret: bytes

    def take(self, code: str, now: int) -> CodeTaken | CodeRefused:
        """Tries a code and remembers the outcome in the same transaction."""
        row = self.row
        state = CodeState(row.last_counter, tuple(cast("list[int]", parse(row.wrong_at))), row.locked_until)
        tried = try_code(self.secret, state, code, now)
        row.last_counter, row.locked_until = tried.state.last_counter, tried.state.locked_until
        row.wrong_at = encode(list(tried.state.wrong_at))
        return tried


def enrol_patient(transaction: Transaction, patient: str, *, replace: bool) -> bytes:
    """Makes the secret of a patient's authenticator, sealed under the patient's key; returns it to be shown once.

    Args:
        transaction: A writing transaction.
        patient: The site's own identifier, checked.
        replace: Whether an older authenticator may be replaced: its telephone was lost.

    Raises:
        ConfigError: The patient has one.
    """
    row = transaction.ensure_patient(patient)
    found = transaction.session.get(PatientAuthenticator, row.id)
    _check_replaces(found, replace=replace)
    secret = new_secret()
    sealed = transaction.patient_key(row.id).seal(secret, _patient_place(row.id))
    fresh = PatientAuthenticator(
        patient_id=row.id, sealed_secret=sealed, last_counter=0, wrong_at=encode([]), locked_until=0
    )
    transaction.session.merge(fresh)
    transaction.session.flush()
    return secret


def enrol_staff(transaction: Transaction, name: str, *, replace: bool) -> bytes:
    """Makes the secret of a staff member's authenticator; returns it to be shown once.

    Args:
        transaction: A writing transaction.
        name: The staff member's short name, checked.
        replace: Whether an older authenticator may be replaced.

    Raises:
        ConfigError: The staff member has one.
    """
    key, found = transaction.keys.staff, _staff_row(transaction, name)
    _check_replaces(found, replace=replace)
    secret, row_id = new_secret(), new_id() if found is None else found.id
    fresh = StaffAuthenticator(
        id=row_id,
        name_tag=key.tag(name.encode("ascii")),
        sealed_name=key.seal(name.encode("ascii"), Place("staff_authenticators", "sealed_name", row_id)),
        sealed_secret=key.seal(secret, _staff_place(row_id)),
        last_counter=0,
        wrong_at=encode([]),
        locked_until=0,
    )
    transaction.session.merge(fresh)
    transaction.session.flush()
    return secret


def take_patient_code(transaction: Transaction, patient: str, code: str, now: int) -> CodeTaken | CodeRefused:
    """Takes a code of a patient's telephone; what is remembered of it is written with this transaction.

    Raises:
        ConsentError: The patient has no authenticator.
        ConfigError: Not six digits.
    """
    patient_row = transaction.find_patient(patient)
    row = None if patient_row is None else transaction.session.get(PatientAuthenticator, patient_row.id)
    if row is None:
        raise ConsentError("this patient has no authenticator", hint="make one: fedrx node consent enrol PATIENT")
    key: SealingKey = transaction.patient_key(row.patient_id)
    return _Opened(row, key.open(row.sealed_secret, _patient_place(row.patient_id))).take(code, now)


def take_staff_code(transaction: Transaction, name: str, code: str, now: int) -> CodeTaken | CodeRefused:
    """Takes a code of a staff member's telephone; what is remembered of it is written with this transaction.

    Raises:
        ConsentError: The staff member has no authenticator.
        ConfigError: Not six digits.
    """
    row = _staff_row(transaction, name)
    if row is None:
        raise ConsentError(f"{name} has no authenticator", hint="make one: fedrx node staff enrol NAME")
    return _Opened(row, transaction.keys.staff.open(row.sealed_secret, _staff_place(row.id))).take(code, now)


def staff_names(transaction: Transaction) -> tuple[str, ...]:
    """The staff members who have an authenticator, sorted."""
    key = transaction.keys.staff
    names = (
        key.open(row.sealed_name, Place("staff_authenticators", "sealed_name", row.id)).decode("ascii")
        for row in transaction.session.scalars(select(StaffAuthenticator))
    )
    return tuple(sorted(names))


def _staff_row(transaction: Transaction, name: str) -> StaffAuthenticator | None:
    tag = transaction.keys.staff.tag(name.encode("ascii"))
    return transaction.session.scalars(select(StaffAuthenticator).where(StaffAuthenticator.name_tag == tag)).first()


def _check_replaces(found: object | None, *, replace: bool) -> None:
    if found is not None and not replace:
        raise ConfigError("there is an authenticator already", hint="when its telephone was lost: --replace")


def _patient_place(row_id: bytes) -> Place:
    return Place("patient_authenticators", "sealed_secret", row_id)


def _staff_place(row_id: bytes) -> Place:
    return Place("staff_authenticators", "sealed_secret", row_id)
