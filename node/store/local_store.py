"""The local store of a site: patients, pages, words and consent receipts in one SQLite file, encrypted at rest.

Way in: ``LocalStore.write`` and ``LocalStore.read`` give a ``Transaction``; ``store_pages``, ``store_words`` and
``store_receipts`` say what a transaction may do. Several processes may use one store; writers take turns.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.orm import Session

from gateways.data_folder import store_error
from gateways.database_errors import translated
from gateways.journal import open_sqlite
from node.store.sealing import Place, SealingKey
from node.store.tables import Patient, StoreInfo, Table, Withdrawal
from protocol.errors import ConfigError, StoreError

ID_BYTES = 16
FORMAT = b"1"
MAX_PATIENT_CHARACTERS = 64
_CHECK = Place("store_info", "value", b"key-check")


@dataclass(frozen=True, slots=True)
class StoreKeys:
    """What is derived from the store key, one key for each purpose."""

    wrapping: SealingKey
    """Seals patients' keys."""
    patients: SealingKey
    """Tags patients' identifiers."""
    content: SealingKey
    """Tags pages and files."""
    split: SealingKey
    """Says which samples are held out."""
    staff: SealingKey
    """Seals the secrets of the staff's authenticators."""
    check: SealingKey
    """Shows that a store belongs to its key."""

    @classmethod
    def of(cls, store_key: bytes) -> StoreKeys:
        """All keys of a store.

        Args:
            store_key: 32 secret bytes.
        """
        root = SealingKey(store_key)
        purposes = ("wrapping", "patients", "content", "split", "staff", "check")
        return cls(*(root.derive(purpose) for purpose in purposes))


class Transaction:
    """One transaction and the keys it needs. Made by ``LocalStore``.

    Args:
        session: An open SQLAlchemy session.
        keys: The store's keys.
    """

    def __init__(self, session: Session, keys: StoreKeys) -> None:
        self.session = session
        self.keys = keys
        self._patient_keys: dict[bytes, SealingKey] = {}
        self._patients: dict[bytes, str] = {}

    def find_patient(self, patient: str) -> Patient | None:
        """The row of a patient of the site's own identifier."""
        tag = self.keys.patients.tag(patient.encode("utf-8"))
        return self.session.scalars(select(Patient).where(Patient.lookup_tag == tag)).one_or_none()

    def ensure_patient(self, patient: str) -> Patient:
        """The row of a patient, made with a fresh data key when there is none."""
        found = self.find_patient(patient)
        if found is not None:
            return found
        row_id, key = new_id(), SealingKey.generate()
        row = Patient(
            id=row_id,
            lookup_tag=self.keys.patients.tag(patient.encode("utf-8")),
            wrapped_key=self.keys.wrapping.seal(key.secret, Place("patients", "wrapped_key", row_id)),
            sealed_patient=key.seal(patient.encode("utf-8"), Place("patients", "sealed_patient", row_id)),
            sealed_name=None,
        )
        self.session.add(row)
        self.session.flush()
        return row

    def patient_key(self, patient_id: bytes) -> SealingKey:
        """The data key of a patient's row.

        Raises:
            StoreError: No such patient, or the key is damaged.
        """
        if patient_id not in self._patient_keys:
            row = self.session.get(Patient, patient_id)
            if row is None:
                raise StoreError("a record belongs to no patient", hint="the patient was erased meanwhile: ask again")
            secret = self.keys.wrapping.open(row.wrapped_key, Place("patients", "wrapped_key", patient_id))
            self._patient_keys[patient_id] = SealingKey(secret)
        return self._patient_keys[patient_id]

    def patient_of(self, patient_id: bytes) -> str:
        """The site's own identifier of a patient's row."""
        if patient_id not in self._patients:
            row = self.session.get_one(Patient, patient_id)
            place = Place("patients", "sealed_patient", patient_id)
            self._patients[patient_id] = self.patient_key(patient_id).open(row.sealed_patient, place).decode("utf-8")
        return self._patients[patient_id]

    def withdrawal_count(self) -> int:
        """How many withdrawals of consent were ever recorded; it never falls."""
        return self.session.scalar(select(func.count()).select_from(Withdrawal)) or 0


class LocalStore:
    """The store in a file.

    Args:
        path: The SQLite file, created with mode 0600 when missing.
        store_key: 32 secret bytes from the key ring.

    Raises:
        StoreError: The file cannot be opened, or belongs to another keystore.
    """

    def __init__(self, path: Path, store_key: bytes) -> None:
        self.keys = StoreKeys.of(store_key)
        self.path = path
        self._name = f"the local store {path}"
        _make_private(path)
        self._engine = open_sqlite(path)
        _begin_by_hand(self._engine)
        try:
            self._prepare()
        except StoreError:
            self.close()
            raise

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may write: all of it is on disk when the block ends, or none of it.

        Raises:
            StoreError: The disk is full, or another process writes for more than ten seconds.
        """
        with self._transaction(writes=True) as transaction:
            yield transaction

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one moment of the store and changes nothing."""
        with self._transaction(writes=False) as transaction:
            yield transaction

    def withdrawal_count(self) -> int:
        """How many withdrawals of consent were ever recorded; it never falls."""
        with self.read() as transaction:
            return transaction.withdrawal_count()

    def forget_deleted(self) -> bool:
        """Empties the write-ahead log, which may still hold rows that were deleted.

        Returns:
            False when another process reads at this moment; the log is then emptied at a later checkpoint.
        """
        with translated(self._name), self._engine.connect() as connection:
            cursor = connection.connection.cursor()
            busy: int = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            cursor.close()
        return busy == 0

    def close(self) -> None:
        """Lets the file go."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Transaction]:
        engine = self._engine.execution_options(fedrx_writes=writes)
        with translated(self._name), Session(engine, expire_on_commit=False) as session:
            session.connection()
            yield Transaction(session, self.keys)
            if writes:
                session.commit()

    def _prepare(self) -> None:
        with self.write() as transaction:
            Table.metadata.create_all(transaction.session.connection())
            check = transaction.session.get(StoreInfo, "key-check")
            if check is None:
                sealed = self.keys.check.seal(FORMAT, _CHECK)
                transaction.session.add(StoreInfo(name="key-check", value=sealed))
                return
            try:
                version = self.keys.check.open(check.value, _CHECK)
            except StoreError as error:
                raise StoreError(
                    f"the local store {self.path} does not belong to this keystore",
                    hint="put back the keystore that was made with it, or start with another data folder",
                ) from error
        if version != FORMAT:
            raise StoreError(f"the local store {self.path} has format {version.decode()}", hint="update fedrx")


def new_id() -> bytes:
    """A fresh random row id."""
    return os.urandom(ID_BYTES)


def check_patient(text: str) -> str:
    """A site's identifier of a patient as it is stored: NFC, without spaces around it.

    Raises:
        ConfigError: Empty, longer than 64 characters, or with characters that do not print.
    """
    patient = unicodedata.normalize("NFC", text).strip()
    if not 0 < len(patient) <= MAX_PATIENT_CHARACTERS or not patient.isprintable():
        raise ConfigError(
            f"a patient's identifier has 1 to {MAX_PATIENT_CHARACTERS} printable characters",
            hint="write the site's own identifier of the patient, such as a record number",
        )
    return patient


def _make_private(path: Path) -> None:
    try:
        # SQLite gives its log files the mode of the database file.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise store_error(error, path) from error


def _begin_by_hand(engine: Engine) -> None:
    """Lets a reader see one moment and a writer wait for its turn before it has read anything.

    The driver would begin a transaction only at the first change: too late for both.
    """

    @event.listens_for(engine, "connect")
    def _no_implicit_begin(connection: Connection, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("fedrx_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
