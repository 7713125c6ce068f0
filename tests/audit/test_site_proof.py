"""docs/spec/sample-proof.md: a site shows that a sample was or was not in an update, before and after an erasure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from audit.names import Names
from audit.site_proof import SiteFinding, _receipt_sentences, _witnesses_at, check_site_proof
from gateways.journal import Journal
from node.consent.desk import consent_entries
from node.consent.proving import Prover
from node.consent.published_trees import keep_tree
from node.consent.traces import traces_of
from node.data.samples import trainable
from node.store.sample_uses import keep_uses
from protocol import ledger_events as ev
from protocol.canonical_json import encode
from protocol.consent import consent_tree
from protocol.consent_counts import counts_by_giver
from protocol.consent_receipt import ByGuardian
from protocol.dataset import dataset_tree
from protocol.errors import ConfigError, MalformedError
from protocol.identifiers import AccountAddress, Digest, RoundId, SiteId, digest_of
from protocol.joining import KeyDocument, audit_key_commitment, key_document_digest
from protocol.merkle import Leaf
from protocol.sample_proof import (
    CLOCK_TOLERANCE_SECONDS,
    Absence,
    Presence,
    SampleProof,
    encode_sample_proof,
    parse_sample_proof,
)
from protocol.site_audit_key import SiteAuditKey, encode_site_audit_key, parse_site_audit_key
from tests.audit.stage import logs_of, run
from tests.node.data_builders import AUDIT_KEY, Clinic, grant_of
from tests.protocol.builders import IDENTITY, Network

SLUG = "site-0"


@dataclass
class Stage:
    """A network in which the first site's update stands on a real store: three words of two patients, one without."""

    folder: Path
    network: Network = field(init=False)

    def __post_init__(self) -> None:
        self.clinic = Clinic(self.folder)
        self.network = network = Network(sites_count=4)
        self.site = network.sites[0]
        self.account = self.site.account
        # The desk signs for the network's deployment.
        self.clinic.desk._identity, self.clinic.desk._site_id = IDENTITY, self.site.site_id
        self.witness = self.clinic.add_witness("sister.akter")
        self.journal = Journal(self.folder / "journal.sqlite")
        self.napa, self.seclo = self.clinic.add_words("P001", "Napa", "Seclo")
        (self.ace,) = self.clinic.add_words("P002", "Ace")
        (self.outside,) = self.clinic.add_words("P003", "Omidon")
        self.clinic.accept_all()
        self.name_keys(self.document(AUDIT_KEY))
        self.now = network.now
        self.grant("P001")
        self.grant("P002", giver=ByGuardian("parent"))
        self.publish()
        self.play()

    def grant(self, patient: str, **changes: Any) -> None:
        agreed = dataclasses.replace(grant_of(patient, days=3000, witness="sister.akter"), **changes)
        self.clinic.desk.grant(agreed, self.now)

    def document(self, audit_key: bytes, *witnesses: AccountAddress) -> KeyDocument:
        named = witnesses or (self.witness,)
        return KeyDocument(SLUG, self.site.account, tuple(sorted(named)), audit_key_commitment(audit_key))

    def name_keys(self, document: KeyDocument) -> None:
        self.key = SiteAuditKey(AUDIT_KEY, (document,))
        rotated = AccountAddress(digest_of("test-account", encode(len(self.network.events)))[:20])
        self.network.emit(
            ev.SiteAccountRotated(self.site.site_id, self.account, rotated, key_document_digest(document))
        )
        self.account = rotated

    def publish(self) -> None:
        entries = consent_entries(self.clinic.store, self.now)
        tree = consent_tree(entries, AUDIT_KEY)
        keep_tree(self.journal, tree)
        counts = counts_by_giver(entries)
        assert (counts.patients, counts.guardians, counts.waivers) == (1, 1, 0)
        version = self.network.publish_consent(self.site)
        self.network.consent_roots[self.site.site_id, version] = tree.root
        located = self.network.events[-1]
        event = dataclasses.replace(located.event, root=tree.root, patients=1, guardians=1)
        self.network.events[-1] = dataclasses.replace(located, event=event)

    def play(self) -> None:
        """One round, in which the first site's update names the roots of its store."""
        network, samples = self.network, trainable(self.clinic.store, self.now, 0).train
        used = [sample.training_sample for sample in samples]
        tree = dataset_tree(used, AUDIT_KEY)
        keep_tree(self.journal, tree)
        with self.clinic.store.write() as transaction:
            keep_uses(transaction, tree.root, used)
        network.open_round()
        honest = network.manifest
        network.manifest = lambda site, delta, **options: (  # type: ignore[method-assign]
            dataclasses.replace(honest(site, delta, **options), dataset_root=tree.root)
            if site is self.site
            else honest(site, delta, **options)
        )
        network.register_all()
        network.conclude()

    def prove(self, sample_id: bytes) -> SampleProof:
        prover = Prover(self.site.site_id, self.clinic.store, self.journal, AUDIT_KEY, self.network.history)
        proof = prover.prove(sample_id.hex(), self.network.round_id)
        assert parse_sample_proof(encode_sample_proof(proof)) == proof
        return proof

    def check(self, proof: SampleProof, key: SiteAuditKey | None = None) -> SiteFinding:
        return check_site_proof(proof, key or self.key, logs_of(self.network), IDENTITY, Names([SLUG, "tests"]))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path / "site")
    yield made
    made.journal.close()


def test_what_a_site_wrote_into_a_receipt_cannot_write_a_line_of_the_finding(stage: Stage) -> None:
    proof = stage.prove(stage.napa)
    assert isinstance(proof.evidence, Presence)
    assert proof.evidence.opening is not None
    written = proof.evidence.opening.signed.receipt
    receipt = dataclasses.replace(written, language="en\x1b[2J", notice_version="1\nall is well")
    registration = stage.network.history.round(stage.network.round_id).registrations[0]
    said = list(_receipt_sentences(receipt, registration, registration.position))
    assert all(sentence.isprintable() for sentence in said)


def test_a_sample_that_trained_is_shown_with_its_receipt(stage: Stage) -> None:
    finding = stage.check(stage.prove(stage.napa))
    assert finding.differences == ()
    said = "\n".join(finding.shown)
    assert f"sample {stage.napa.hex()} was in the update of site-0 in round 1 of tests" in said
    assert "given by the patient" in said
    assert "below consent root version 2" in said
    assert str(stage.witness) in said
    assert "given by a guardian (parent)" in "\n".join(stage.check(stage.prove(stage.ace)).shown)


def test_a_sample_that_did_not_train_is_shown_to_be_absent(stage: Stage) -> None:
    proof = stage.prove(stage.outside)
    assert isinstance(proof.evidence, Absence)
    finding = stage.check(proof)
    assert finding.differences == ()
    assert "none of its 3 leaves is the sample's" in finding.shown[0]
    assert isinstance(stage.prove(b"\x77" * 16).evidence, Absence)


def test_a_label_that_was_corrected_after_the_round_does_not_spoil_the_proof(stage: Stage) -> None:
    stage.clinic.review.fix(stage.napa.hex(), "Napa Extra", "dr-khan", stage.now)
    assert stage.check(stage.prove(stage.napa)).differences == ()


def test_an_erasure_leaves_the_replay_the_same_and_the_other_samples_provable(stage: Stage) -> None:
    assert run(stage.network).same
    stage.clinic.desk.erase("P001", stage.now, stage.clinic.originals, stage.clinic.quarantine)
    stage.network.withdraw(stage.site)
    assert run(stage.network).same
    assert run(stage.network, keyless=True).same
    assert stage.check(stage.prove(stage.ace)).differences == ()
    erased = stage.prove(stage.napa)
    assert isinstance(erased.evidence, Presence)
    assert erased.evidence.opening is None
    finding = stage.check(erased)
    assert finding.differences == ()
    assert "it says that the patient was erased; a withdrawal of the site is in block" in finding.shown[1]


def test_after_an_erasure_nothing_of_the_patient_opens_or_can_be_read(stage: Stage) -> None:
    store = stage.clinic.store
    with store.read() as transaction:
        row = transaction.find_patient("P001")
        assert row is not None
        key = transaction.patient_key(row.id).secret
        wrapped, row_id = row.wrapped_key, row.id
    proof = stage.prove(stage.napa)
    assert isinstance(proof.evidence, Presence)
    assert proof.evidence.opening is not None
    secrets = [wrapped, row_id, key, bytes(proof.evidence.opening.salt), bytes(proof.evidence.opening.consent_salt)]
    before = stage.clinic.everything_on_disk()
    assert wrapped in before
    stage.clinic.desk.erase("P001", stage.now, stage.clinic.originals, stage.clinic.quarantine)
    after = stage.clinic.everything_on_disk()
    assert [secret for secret in secrets if secret in after] == []
    assert not [word for word in (b"P001", b"Napa", b"Salma") if word in after]
    with store.read() as transaction:
        assert transaction.find_patient("P001") is None


def test_a_site_that_holds_the_receipt_back_is_asked_why(stage: Stage) -> None:
    proof = stage.prove(stage.napa)
    assert isinstance(proof.evidence, Presence)
    silent = dataclasses.replace(proof, evidence=dataclasses.replace(proof.evidence, opening=None))
    assert "no withdrawal of the site followed: ask why" in stage.check(silent).shown[1]


def test_a_sample_that_trained_cannot_be_shown_to_be_absent(stage: Stage) -> None:
    proof, absent = stage.prove(stage.napa), stage.prove(stage.outside)
    assert isinstance(absent.evidence, Absence)
    for leaves in (absent.evidence.leaves, absent.evidence.leaves[1:], ()):
        finding = stage.check(dataclasses.replace(proof, evidence=Absence(leaves)))
        assert finding.shown == ()
        assert len(finding.differences) == 1


def test_another_receipt_sample_or_site_is_found(stage: Stage) -> None:
    napa, seclo, ace = (stage.prove(sample) for sample in (stage.napa, stage.seclo, stage.ace))
    assert isinstance(napa.evidence, Presence)
    assert isinstance(ace.evidence, Presence)
    assert napa.evidence.opening is not None
    assert ace.evidence.opening is not None
    receipt = napa.evidence.opening.signed.receipt
    renamed = dataclasses.replace(napa.evidence.opening.signed, receipt=dataclasses.replace(receipt, patient="P009"))
    for wrong in (
        dataclasses.replace(napa, evidence=seclo.evidence),
        dataclasses.replace(napa, evidence=dataclasses.replace(napa.evidence, opening=ace.evidence.opening)),
        dataclasses.replace(
            napa,
            evidence=dataclasses.replace(
                napa.evidence, opening=dataclasses.replace(napa.evidence.opening, signed=renamed)
            ),
        ),
    ):
        finding = stage.check(wrong)
        assert (finding.shown, len(finding.differences)) == ((), 1)
    with pytest.raises(ConfigError, match="knows no update"):
        stage.check(dataclasses.replace(napa, site_id=SiteId(b"\x01" * 32)))
    with pytest.raises(ConfigError, match="knows no update"):
        stage.check(dataclasses.replace(napa, round_id=RoundId(napa.round_id.lineage_id, 2)))


def test_an_audit_key_that_the_chain_does_not_commit_the_site_to_is_found(stage: Stage) -> None:
    proof = stage.prove(stage.napa)
    other = SiteAuditKey(b"\x01" * 32, stage.key.key_documents)
    assert "committed to another audit key" in stage.check(proof, other).differences[0]
    unnamed = SiteAuditKey(AUDIT_KEY, (stage.document(AUDIT_KEY, AccountAddress(b"\x09" * 20)),))
    assert "names none of the site's key documents" in stage.check(proof, unnamed).differences[0]


def test_a_receipt_signed_by_nobody_whom_the_site_named_is_found(tmp_path: Path) -> None:
    class Unnamed(Stage):
        def document(self, audit_key: bytes, *witnesses: AccountAddress) -> KeyDocument:
            return super().document(audit_key, AccountAddress(b"\x09" * 20))

    stage = Unnamed(tmp_path / "site")
    assert stage.check(stage.prove(stage.napa)).differences == (
        "the consent receipt was not signed by a witness of the site",
    )


class Removed(Stage):
    """The witness was in force, and another document without them came some time before the receipts were granted."""

    seconds_before = CLOCK_TOLERANCE_SECONDS

    def name_keys(self, document: KeyDocument) -> None:
        super().name_keys(document)
        with_witness = self.key.key_documents
        super().name_keys(self.document(AUDIT_KEY, AccountAddress(b"\x09" * 20)))
        self.key = SiteAuditKey(AUDIT_KEY, with_witness + self.key.key_documents)
        self.network.now += self.seconds_before


def test_a_receipt_that_a_removed_witness_signed_is_found(tmp_path: Path) -> None:
    stage = Removed(tmp_path / "site")
    assert stage.check(stage.prove(stage.napa)).differences == (
        "the consent receipt was not signed by a witness of the site",
    )


def test_a_receipt_of_a_site_whose_clock_is_a_little_ahead_of_the_chains_is_no_removed_witness(tmp_path: Path) -> None:
    class RemovedJustNow(Removed):
        seconds_before = CLOCK_TOLERANCE_SECONDS - 1

    stage = RemovedJustNow(tmp_path / "site")
    assert stage.check(stage.prove(stage.napa)).differences == ()


def test_a_receipt_stays_good_when_its_witness_is_removed_later(stage: Stage) -> None:
    before = stage.key.key_documents
    proof = stage.prove(stage.napa)
    stage.name_keys(stage.document(AUDIT_KEY, AccountAddress(b"\x09" * 20)))
    assert stage.check(proof, SiteAuditKey(AUDIT_KEY, before + stage.key.key_documents)).differences == ()


@pytest.mark.parametrize(
    ("witness_in", "granted_at", "counts"),
    [
        ("first", 50, True),
        ("first", 20_000, True),
        ("first", 19_999 + CLOCK_TOLERANCE_SECONDS, True),
        ("first", 20_000 + CLOCK_TOLERANCE_SECONDS, False),
        ("second", 50, False),
        ("second", 19_999 - CLOCK_TOLERANCE_SECONDS, False),
        ("second", 20_000 - CLOCK_TOLERANCE_SECONDS, True),
        ("second", 10**9, True),
    ],
)
def test_a_witness_is_judged_by_the_documents_in_force_around_the_grant(
    stage: Stage, witness_in: str, granted_at: int, *, counts: bool
) -> None:
    """The first document is in force from 10,000 on and for what was granted before, the second from 20,000 on."""
    with_witness, without = key_document_digest(stage.document(AUDIT_KEY)), digest_of("test-key", b"other")
    digests = (with_witness, without) if witness_in == "first" else (without, with_witness)
    named = tuple(zip((10_000, 20_000), digests, strict=True))
    assert _witnesses_at(granted_at, stage.key.key_documents, named) == ({stage.witness} if counts else frozenset())


@pytest.mark.parametrize("late", [0, 1])
def test_a_receipt_dated_after_its_consent_root_by_more_than_the_tolerance_is_found(tmp_path: Path, late: int) -> None:
    class Postdated(Stage):
        def grant(self, patient: str, **changes: Any) -> None:
            # The root comes into the next block, a second later.
            self.now = self.network.now + 1 + CLOCK_TOLERANCE_SECONDS + late
            super().grant(patient, **changes)

    differences = (stage := Postdated(tmp_path / "site")).check(stage.prove(stage.napa)).differences
    assert len(differences) == late
    for difference in differences:
        assert "says that it was granted at" in difference
        assert "whose consent root holds it" in difference


@pytest.mark.parametrize("late", [0, 1])
def test_a_receipt_lasts_through_the_second_in_which_it_expires_as_its_root_does(stage: Stage, late: int) -> None:
    proof = stage.prove(stage.napa)
    assert isinstance(proof.evidence, Presence)
    assert proof.evidence.opening is not None
    expires_at = proof.evidence.opening.signed.receipt.expires_at
    events = []
    for located in logs_of(stage.network):
        position, event = located.position, located.event
        if isinstance(event, ev.ConsentRootPublished):
            event = dataclasses.replace(event, valid_until=expires_at)
        if isinstance(event, ev.UpdateRegistered):
            position = dataclasses.replace(position, timestamp=expires_at + late)
        events.append(ev.LocatedEvent(position, event))
    differences = check_site_proof(proof, stage.key, events, IDENTITY, Names()).differences
    said = ("consent root version 2 was not in force", "the consent receipt had expired")[: 2 * late]
    assert len(differences) == len(said)
    assert all(difference.startswith(start) for difference, start in zip(differences, said, strict=True))


def test_a_withdrawal_lists_the_rounds_and_models_that_the_samples_touched(stage: Stage) -> None:
    network = stage.network
    (trace,) = traces_of(stage.clinic.store, "P001", network.history, stage.site.site_id)
    head = network.history.lineages[network.lineage_id].head_digest
    assert (trace.round, trace.samples, trace.model_digest, trace.later_models) == (1, 2, head, 0)
    network.open_round()
    network.register_all()
    network.conclude()
    first, second = traces_of(stage.clinic.store, "P002", network.history, stage.site.site_id)
    assert (first.later_models, second.samples, second.outcome) == (1, 1, "part of the global model")
    assert traces_of(stage.clinic.store, "P003", network.history, stage.site.site_id) == ()
    assert traces_of(stage.clinic.store, "P999", network.history, stage.site.site_id) == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("format", "fedrx-sample-proof/2"),
        ("more", 1),
        ("round", 0),
        ("sample_id", "00"),
        ("evidence.kind", "maybe"),
        ("evidence.dataset.index", -1),
        ("evidence.dataset.path", ["zz"]),
        ("evidence.opening.signature", "zz"),
        ("evidence.opening.receipt.version", 2),
    ],
)
def test_other_bytes_are_no_proof(stage: Stage, path: str, value: object) -> None:
    fields = json.loads(encode_sample_proof(stage.prove(stage.napa)))
    *parents, last = path.split(".")
    place = fields
    for name in parents:
        place = place[name]
    place[last] = value
    with pytest.raises(MalformedError):
        parse_sample_proof(encode(fields))


def test_an_audit_key_file_comes_back_and_shows_no_key_in_its_repr(stage: Stage) -> None:
    data = encode_site_audit_key(stage.key)
    assert parse_site_audit_key(data) == stage.key
    assert AUDIT_KEY.hex() not in repr(stage.key)
    assert repr(AUDIT_KEY)[2:20] not in repr(stage.key)
    with pytest.raises(MalformedError):
        parse_site_audit_key(data.replace(b"key/1", b"key/2"))


def test_leaves_out_of_order_are_put_into_order_by_who_checks(stage: Stage) -> None:
    absent = stage.prove(stage.outside)
    assert isinstance(absent.evidence, Absence)
    turned = Absence(tuple(reversed(absent.evidence.leaves)))
    assert stage.check(dataclasses.replace(absent, evidence=turned)).differences == ()
    doubled = Absence((*absent.evidence.leaves, Leaf(absent.evidence.leaves[0].key, Digest(bytes(32)))))
    assert stage.check(dataclasses.replace(absent, evidence=doubled)).shown == ()
