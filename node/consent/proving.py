"""Shows an auditor that a sample was or was not in a registered update (docs/spec/sample-proof.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from node.consent.published_trees import kept_tree
from node.store.receipts import receipts_of
from node.store.sample_uses import use_of
from node.store.tables import Page, Word
from node.store.words import find_word
from protocol.consent import CONSENT_DOMAIN
from protocol.dataset import sample_key
from protocol.errors import ConfigError, StoreError
from protocol.identifiers import Digest
from protocol.merkle import leaf_key
from protocol.sample_proof import SAMPLE_ID_BYTES, Absence, Opening, Presence, SampleProof

if TYPE_CHECKING:
    from gateways.journal import Journal
    from node.store.local_store import LocalStore, Transaction
    from protocol.history import History
    from protocol.identifiers import RoundId, SiteId
    from protocol.merkle import MerkleTree


class Prover:
    """Proves for one site.

    Args:
        site_id: The site.
        store: What the leaves mean.
        journal: Holds the leaves of every published root.
        audit_key: 32 bytes, keys the leaves.
        history: In step with the chain.
    """

    def __init__(
        self, site_id: SiteId, store: LocalStore, journal: Journal, audit_key: bytes, history: History
    ) -> None:
        self._site_id = site_id
        self._store = store
        self._journal = journal
        self._audit_key = audit_key
        self._history = history

    def prove(self, typed_id: str, round_id: RoundId) -> SampleProof:
        """Whether a sample was in the site's update of a round.

        Args:
            typed_id: The first hex digits of a word's id; all 32 of one that the store does not know any more.
            round_id: The round.

        Raises:
            ConfigError: No such word, round or registration.
            StoreError: The tree of a root that this site published is not kept here.
        """
        dataset_root, consent_root = self._roots(round_id)
        tree = self._tree(dataset_root)
        with self._store.read() as transaction:
            sample_id, patient_id = _sample(transaction, typed_id)
            key = sample_key(self._audit_key, sample_id)
            if all(leaf.key != key for leaf in tree.leaves):
                return SampleProof(self._site_id, round_id, sample_id, Absence(tree.leaves))
            opening = None
            if patient_id is not None:
                opening = self._opening(transaction, sample_id, patient_id, dataset_root, consent_root)
        return SampleProof(self._site_id, round_id, sample_id, Presence(tree.prove(key), opening))

    def _roots(self, round_id: RoundId) -> tuple[Digest, Digest]:
        lineage = self._history.lineages.get(round_id.lineage_id)
        view = None if lineage is None else lineage.rounds.get(round_id.number)
        if view is None:
            raise ConfigError(f"there is no round {round_id.number} in this lineage", hint="see fedrx node status")
        mine = view.registration_of(self._site_id)
        if mine is None:
            raise ConfigError(
                f"this site registered no update in round {round_id.number}", hint="nothing of it was in that round"
            )
        root, _ = self._history.consents[self._site_id].roots[mine.event.consent_version]
        return mine.event.dataset_root, root.root

    def _tree(self, root: Digest) -> MerkleTree:
        tree = kept_tree(self._journal, root)
        if tree is None:
            raise StoreError(
                f"the leaves below the published root {root} are not in the journal",
                hint="put back the journal that was in use in that round",
            )
        return tree

    def _opening(
        self, transaction: Transaction, sample_id: bytes, patient_id: bytes, dataset_root: Digest, consent_root: Digest
    ) -> Opening | None:
        use = use_of(transaction, dataset_root, patient_id, sample_id)
        if use is None:
            return None
        (entry,) = (
            stored.entry
            for stored in receipts_of(transaction, patient_id)
            if stored.entry.signed.receipt.receipt_id == use.receipt_id
        )
        receipt_key = leaf_key(self._audit_key, CONSENT_DOMAIN, use.receipt_id)
        return Opening(
            salt=use.salt,
            content_digest=use.content_digest,
            signed=entry.signed,
            consent_salt=Digest(entry.salt),
            consent=self._tree(consent_root).prove(receipt_key),
        )


def _sample(transaction: Transaction, typed_id: str) -> tuple[bytes, bytes | None]:
    """The id of a sample, and its patient's row where there is one."""
    digits = typed_id.strip().lower()
    if len(digits) != 2 * SAMPLE_ID_BYTES or set(digits) - set("0123456789abcdef"):
        word = find_word(transaction, typed_id)
        return word.word_id, word.patient_id
    sample_id = bytes.fromhex(digits)
    of_word = select(Page.patient_id).join(Word, Word.page_id == Page.id).where(Word.id == sample_id)
    return sample_id, transaction.session.scalars(of_word).first()
