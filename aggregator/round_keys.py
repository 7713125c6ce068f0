"""A fresh HPKE key for every round: made, announced once, destroyed when nobody can appeal any more."""

from __future__ import annotations

import structlog

from aggregator.parts import Parts, admission_obstacle
from aggregator.scheduler import stopped
from aggregator.settings import LineageSettings
from gateways.data_folder import write_atomically
from protocol.history import History, LineageView, RoundView
from protocol.identifiers import RoundId, lineage_id_of
from protocol.ledger_calls import AnnounceRoundKey
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest

logger = structlog.get_logger(__name__)

_PREFIX = "round-key/"


class RoundKeys:
    """This aggregator's round keys.

    Args:
        parts: The aggregator's.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def private_key(self, lineage: str, number: int) -> RecipientPrivateKey | None:
        """The key of a round, or None when it was never made or is destroyed."""
        name = f"{_PREFIX}{lineage}/{number}"
        if name not in self._parts.secrets.names():
            return None
        return RecipientPrivateKey.from_bytes(self._parts.secrets.get(name))

    def numbers(self, lineage: str) -> tuple[int, ...]:
        """Rounds of a lineage whose keys exist, ascending."""
        return tuple(number for slug, number in self._all() if slug == lineage)

    def announce(self, history: History, lineage: LineageView, settings: LineageSettings) -> bool:
        """Announces the key of the lineage's next round; says whether a transaction was sent.

        The key is kept before it is announced: a crash in between announces the same key, never a second one.
        """
        parts, number = self._parts, lineage.last_round + 1
        if admission_obstacle(history, parts.me, parts.ledger.account) or stopped(history, lineage, settings):
            return False
        key = self.private_key(settings.slug, number)
        if key is None:
            key = RecipientPrivateKey.generate()
            parts.secrets.put(f"{_PREFIX}{settings.slug}/{number}", key.to_bytes())
        public_key = key.public_key()
        digest = public_key_digest(public_key)
        round_id = RoundId(settings.lineage_id, number)
        announced = history.round_keys.get((parts.me, round_id))
        if announced is not None and announced.key_digest == digest:
            return False
        path = parts.files.own_public_key(settings.slug, number)
        if not path.exists() or path.read_bytes() != public_key:
            write_atomically(path, public_key)
        cid = parts.block_store.add(path)
        call = AnnounceRoundKey(settings.lineage_id, number, digest, cid)
        key_name = f"announce/{settings.slug}/{number}"
        return parts.outbox.send(key_name, call, lineage=settings.slug, round=number) is not None

    def destroy_expired(self, history: History, now: int) -> bool:
        """Destroys keys and fetched copies of rounds whose appeal window is over; says whether there were any.

        The pins stay. The copies go first: the key's name is what says that they are still to be removed.
        """
        parts, destroyed = self._parts, False
        for slug, number in self._all():
            lineage = history.lineages.get(lineage_id_of(slug))
            view = lineage.rounds.get(number) if lineage is not None else None
            if lineage is None or view is None or view.outcome_at is None:
                continue
            if now < view.outcome_at.timestamp + parts.settings.appeal_window_seconds:
                continue
            self._remove_copies(slug, lineage, view)
            parts.secrets.delete(f"{_PREFIX}{slug}/{number}")
            logger.info("round_key.destroyed", lineage=slug, round=number)
            destroyed = True
        return destroyed

    def _remove_copies(self, slug: str, lineage: LineageView, view: RoundView) -> None:
        files, fetcher = self._parts.files, self._parts.fetcher
        fetcher.forget_folder(files.envelopes(slug, view.opened.round))
        fetcher.forget(files.plan(view.opened.plan_cid))
        # The head is the parent of the next round; an older model is only in IPFS from here on.
        for cid in (lineage.created.model_cid, getattr(view.outcome, "model_cid", lineage.head_cid)):
            if cid != lineage.head_cid:
                fetcher.forget(files.model(cid))
        files.remove_round(slug, view.opened.round)

    def _all(self) -> list[tuple[str, int]]:
        found = []
        for name in self._parts.secrets.names():
            if name.startswith(_PREFIX):
                slug, _, number = name.removeprefix(_PREFIX).rpartition("/")
                found.append((slug, int(number)))
        return sorted(found)
