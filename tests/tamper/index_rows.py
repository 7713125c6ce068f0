"""Mutations of an index: rows that somebody changed with SQL. A replay never reads it."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, text, update

from audit.index.event_codec import encode_event, parse_event
from audit.index.tables import EventRow, PageRow
from tests.tamper.catalogue import INDEX, INDEX_WRITER, chapter

mutation = chapter("Rows of an index", INDEX)
CHANGED, LEFT_OUT, INVENTED = "changed", "left out", "invented"


def _set(connection: Connection, of_kind: str, **columns: object) -> None:
    """Other columns for the first event of a kind."""
    connection.execute(update(EventRow).where(EventRow.place == _place(connection, of_kind)).values(**columns))


def _place(connection: Connection, kind: str) -> int:
    places = select(EventRow.place).where(EventRow.kind == kind).order_by(EventRow.place)
    return int(connection.execute(places.limit(1)).scalar_one())


@mutation(INDEX_WRITER, CHANGED, "has another value")
def another_weight(it: Connection) -> None:
    """A registration in the index has another weight"""
    place = _place(it, "update-registered")
    value = it.execute(select(EventRow.value).where(EventRow.place == place)).scalar_one()
    event = parse_event("update-registered", value)
    said = encode_event(event).replace(b'"weight":"', b'"weight":"1')
    _set(it, "update-registered", value=said)


@mutation(INDEX_WRITER, CHANGED, "has another site id")
def hidden_from_a_site(it: Connection) -> None:
    """An update is no longer found by its site"""
    _set(it, "update-registered", site_id=None)


@mutation(INDEX_WRITER, CHANGED, "has another round")
def hidden_from_a_round(it: Connection) -> None:
    """A result is no longer found by its round"""
    _set(it, "round-finalized", round=99)


@mutation(INDEX_WRITER, CHANGED, "has another kind")
def another_kind(it: Connection) -> None:
    """A suspension in the index is told as its end"""
    _set(it, "site-suspended", kind="site-reinstated")


@mutation(INDEX_WRITER, CHANGED, "has another timestamp")
def another_time(it: Connection) -> None:
    """A withdrawal in the index is older"""
    _set(it, "consent-withdrawn", timestamp=1_000_001)


@mutation(INDEX_WRITER, CHANGED, "has another tx hash")
def another_transaction(it: Connection) -> None:
    """An event in the index names another transaction"""
    _set(it, "round-opened", tx_hash=b"\x07" * 32)


@mutation(INDEX_WRITER, CHANGED, "has another block hash")
def another_block(it: Connection) -> None:
    """An event in the index names another block"""
    _set(it, "round-opened", block_hash=b"\x07" * 32)


@mutation(INDEX_WRITER, CHANGED, "has another consent root")
def another_root(it: Connection) -> None:
    """A consent root is found under another digest"""
    _set(it, "consent-root-published", consent_root=b"\x07" * 32)


@mutation(INDEX_WRITER, LEFT_OUT, "consent-withdrawn in block")
def a_withdrawal_deleted(it: Connection) -> None:
    """A withdrawal is deleted from the index"""
    it.execute(delete(EventRow).where(EventRow.place == _place(it, "consent-withdrawn")))


@mutation(INDEX_WRITER, LEFT_OUT, "suite-sealed in block")
def the_newest_deleted(it: Connection) -> None:
    """The newest event is deleted from the index"""
    it.execute(delete(EventRow).where(EventRow.kind == "suite-sealed"))


@mutation(INDEX_WRITER, INVENTED, "site-suspended in block")
def an_invented_event(it: Connection) -> None:
    """A suspension that never was stands in the index"""
    row = dict(it.execute(select(EventRow.__table__).where(EventRow.kind == "site-suspended")).mappings().one())
    it.execute(insert(EventRow).values(row | {"place": row["place"] + 5}))


@mutation(INDEX_WRITER, LEFT_OUT, "suite-sealed in block")
def pages_that_were_never_read(it: Connection) -> None:
    """The index says that it has read blocks whose events it lacks"""
    last = it.execute(select(PageRow.last_block).order_by(PageRow.last_block.desc()).limit(1)).scalar_one()
    it.execute(delete(EventRow).where(EventRow.kind.in_(["suite-sealed"])))
    it.execute(update(PageRow).where(PageRow.last_block == last).values(last_block=last + 100))


@mutation(INDEX_WRITER, INVENTED, "site-suspended in block")
def row_behind_the_end(it: Connection) -> None:
    """An event stands in the index behind the last block that it has read"""
    row = dict(
        it.execute(select(EventRow.__table__).where(EventRow.kind == "site-suspended").limit(1)).mappings().one()
    )
    it.execute(insert(EventRow).values(row | {"place": row["place"] + (1 << 50)}))


@mutation(INDEX_WRITER, CHANGED, "how far it has read")
def no_number(it: Connection) -> None:
    """The index says no number as the last block that it has read"""
    it.execute(text("UPDATE pages SET last_block = 'all' WHERE last_block = (SELECT max(last_block) FROM pages)"))


@mutation(INDEX_WRITER, CHANGED, "another hash of block")
def another_page(it: Connection) -> None:
    """The index keeps another hash of the newest block that it has read"""
    last = it.execute(select(PageRow.last_block).order_by(PageRow.last_block.desc()).limit(1)).scalar_one()
    it.execute(update(PageRow).where(PageRow.last_block == last).values(block_hash=b"\x07" * 32))


@mutation(INDEX_WRITER, CHANGED, "no hash of block")
def no_page(it: Connection) -> None:
    """The index keeps something else than a hash of an older block"""
    first = it.execute(select(PageRow.last_block).order_by(PageRow.last_block).limit(1)).scalar_one()
    it.execute(update(PageRow).where(PageRow.last_block == first).values(block_hash=b"\x07"))
