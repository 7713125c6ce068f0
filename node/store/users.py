"""What a transaction may do with the people who use the site page, and with the log of what they did there.

A user's authenticator is the one of ``store_second_factor``: a staff member has one telephone, and a code of it that
was taken at the consent desk is not taken again at the log-in.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from node.store.local_store import Transaction, new_id
from node.store.sealing import Place
from node.store.tables import Table
from protocol.errors import ConfigError

MAX_FAILURES = 50
"""Wrong passwords from anywhere. The page refuses one network address much earlier."""
LOCK_SECONDS = 15 * 60


class Role(StrEnum):
    """What a user may do; one user may have several."""

    OPERATOR = "operator"
    """Imports pages, takes part in rounds, reads the log of reviews."""
    REVIEWER = "reviewer"
    """Sees pages, says what is written, decides about duplicates, tries the model."""
    CONSENT_OFFICER = "consent-officer"
    """Records and withdraws consent."""


class PageUser(Table):
    """A person who may log in."""

    __tablename__ = "page_users"

    id: Mapped[bytes] = mapped_column(primary_key=True)
    """16 random bytes."""
    name_tag: Mapped[bytes] = mapped_column(unique=True)
    sealed_name: Mapped[bytes]
    sealed_password: Mapped[bytes]
    """The Argon2id hash of the password."""
    roles: Mapped[str]
    """Sorted, separated by spaces."""
    version: Mapped[int]
    """Grows with every change; a session of an older version has ended."""
    disabled: Mapped[bool]
    failures: Mapped[int]
    """Wrong passwords since the last right one."""
    locked_until: Mapped[int]
    """Seconds since 1970."""


class PageRefusals(Table):
    """One row: log-ins that concern no user who may log in.

    It is written so that such a log-in takes as long as a wrong password, which is counted on disk too.
    """

    __tablename__ = "page_refusals"

    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int]


class PageAct(Table):
    """Something that a user did. Rows are only added."""

    __tablename__ = "page_acts"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[int]
    """Seconds since 1970."""
    user_id: Mapped[bytes]
    kind: Mapped[str]
    """A fixed word, such as ``accept``."""
    about: Mapped[bytes | None]
    """The random id of a word, page or patient; it leads to nobody once that is erased."""


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A user of the page."""

    user_id: bytes
    name: str
    roles: frozenset[Role]
    version: int
    disabled: bool
    password_hash: str
    """Argon2id in PHC form."""
    locked_until: int
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the log."""

    at: int
    """Seconds since 1970."""
    user: str
    kind: str
    about: bytes | None


def add_user(transaction: Transaction, name: str, password_hash: str, roles: Collection[Role]) -> None:
    """Adds a user.

    Raises:
        ConfigError: There is one of this name, or no role is given.
    """
    if _row(transaction, name) is not None:
        raise ConfigError(f"there is a user {name} already", hint="for a new password: fedrx node user reset")
    if not roles:
        raise ConfigError("a user has a role", hint="give --role operator, reviewer or consent-officer")
    key, row_id = transaction.keys.staff, new_id()
    transaction.session.add(
        PageUser(
            id=row_id,
            name_tag=_tag(transaction, name),
            sealed_name=key.seal(name.encode("ascii"), Place("page_users", "sealed_name", row_id)),
            sealed_password=_sealed_password(transaction, row_id, password_hash),
            roles=" ".join(sorted(roles)),
            version=1,
            disabled=False,
            failures=0,
            locked_until=0,
        )
    )
    transaction.session.flush()


def set_password(transaction: Transaction, name: str, password_hash: str) -> None:
    """Gives a user another password and lets them in again; their sessions end.

    Raises:
        ConfigError: No such user.
    """
    row = _existing(transaction, name)
    row.sealed_password = _sealed_password(transaction, row.id, password_hash)
    row.version, row.disabled, row.failures, row.locked_until = row.version + 1, False, 0, 0


def disable_user(transaction: Transaction, name: str) -> None:
    """Lets a user in no more; their sessions end.

    Raises:
        ConfigError: No such user.
    """
    row = _existing(transaction, name)
    row.version, row.disabled = row.version + 1, True


def find_user(transaction: Transaction, name: str) -> StoredUser | None:
    """The user of a name."""
    row = _row(transaction, name)
    return None if row is None else _value(transaction, row)


def user_of(transaction: Transaction, user_id: bytes) -> StoredUser | None:
    """The user of an id."""
    row = transaction.session.get(PageUser, user_id)
    return None if row is None else _value(transaction, row)


def users(transaction: Transaction) -> tuple[StoredUser, ...]:
    """Every user, sorted by name."""
    found = (_value(transaction, row) for row in transaction.session.scalars(select(PageUser)))
    return tuple(sorted(found, key=lambda user: user.name))


def note_password(transaction: Transaction, user_id: bytes, now: int, *, right: bool) -> None:
    """Counts a wrong password and locks the user for 15 minutes at the fiftieth; a right one starts the count again."""
    row = transaction.session.get_one(PageUser, user_id)
    row.failures = 0 if right else row.failures + 1
    if row.failures >= MAX_FAILURES:
        row.failures, row.locked_until = 0, now + LOCK_SECONDS


def note_refusal(transaction: Transaction) -> None:
    """Counts a log-in under a name that nobody has, or of a user who may not log in now."""
    row = transaction.session.get(PageRefusals, 1)
    if row is None:
        transaction.session.add(PageRefusals(id=1, count=1))
    else:
        row.count += 1


def add_act(transaction: Transaction, user_id: bytes, kind: str, about: bytes | None, now: int) -> None:
    """Adds a line to the log."""
    transaction.session.add(PageAct(at=now, user_id=user_id, kind=kind, about=about))
    transaction.session.flush()


def acts(transaction: Transaction, limit: int) -> tuple[Act, ...]:
    """The newest lines of the log, newest first."""
    names = {user.user_id: user.name for user in users(transaction)}
    rows = transaction.session.scalars(select(PageAct).order_by(PageAct.number.desc()).limit(limit))
    return tuple(Act(row.at, names.get(row.user_id, ""), row.kind, row.about) for row in rows)


def _row(transaction: Transaction, name: str) -> PageUser | None:
    query = select(PageUser).where(PageUser.name_tag == _tag(transaction, name))
    return transaction.session.scalars(query).one_or_none()


def _existing(transaction: Transaction, name: str) -> PageUser:
    row = _row(transaction, name)
    if row is None:
        raise ConfigError(f"there is no user {name}", hint="see fedrx node user list")
    return row


def _tag(transaction: Transaction, name: str) -> bytes:
    return transaction.keys.staff.tag(b"page-user/" + name.encode("utf-8"))


def _sealed_password(transaction: Transaction, row_id: bytes, password_hash: str) -> bytes:
    place = Place("page_users", "sealed_password", row_id)
    return transaction.keys.staff.seal(password_hash.encode("ascii"), place)


def _value(transaction: Transaction, row: PageUser) -> StoredUser:
    key = transaction.keys.staff
    return StoredUser(
        user_id=row.id,
        name=key.open(row.sealed_name, Place("page_users", "sealed_name", row.id)).decode("ascii"),
        roles=frozenset(Role(role) for role in row.roles.split()),
        version=row.version,
        disabled=row.disabled,
        password_hash=key.open(row.sealed_password, Place("page_users", "sealed_password", row.id)).decode("ascii"),
        locked_until=row.locked_until,
    )
