"""A node trains on the real contract, proves a sample, and ``fedrx audit site`` checks it against the chain."""

from __future__ import annotations

from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from node.consent.desk import ConsentDesk
from node.consent.proving import Prover
from node.consent.traces import traces_of
from protocol import ledger_calls as calls
from protocol.deployment import encode_deployment
from protocol.errors import AuditError
from protocol.identifiers import RoundId
from protocol.joining import KeyDocument, audit_key_commitment, key_document_digest
from protocol.sample_proof import encode_sample_proof
from protocol.site_audit_key import SiteAuditKey, encode_site_audit_key
from tests.audit.auditor_app import app
from tests.fixtures_chain import ContractWorld
from tests.node.data_builders import AUDIT_KEY, SITE_ID, grant_of
from tests.node.site_world import NAMES, SiteWorld


@pytest.mark.chain
def test_an_auditor_checks_a_nodes_proofs_against_the_chain(contract: ContractWorld, tmp_path: Path) -> None:
    world = SiteWorld(tmp_path / "node", world=contract, words=False)
    desk = ConsentDesk(world.clinic.store, world.clinic.key_ring, world.governor.identity, SITE_ID)
    world.clinic.desk = desk
    account = contract.fresh_account()
    document = KeyDocument(
        "dhaka-general", account, (world.clinic.add_witness("sister.akter"),), audit_key_commitment(AUDIT_KEY)
    )
    world.governor.send(calls.RotateSiteAccount(SITE_ID, account, key_document_digest(document)))
    world.ledger = contract.ledger(account)
    world.add_patient("P-001", *NAMES, consent=False)
    world.add_patient("P-002", *NAMES, consent=False)
    desk.grant(grant_of("P-001", witness="sister.akter"), world.now)
    world.start()
    world.settle()
    world.open_round()
    world.settle()
    world.others_register()
    world.finish()
    (tmp_path / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    (tmp_path / "key.json").write_bytes(encode_site_audit_key(SiteAuditKey(AUDIT_KEY, (document,))))
    prover = Prover(SITE_ID, world.clinic.store, world.journal, AUDIT_KEY, world.history)

    def audit(word_id: bytes, proof_of: bytes | None = None) -> tuple[object, str]:
        proof = prover.prove((proof_of or word_id).hex(), RoundId(world.lineage_id, 1))
        (tmp_path / "proof.json").write_bytes(
            encode_sample_proof(proof).replace((proof_of or word_id).hex().encode(), word_id.hex().encode())
        )
        where = ["--deployment", str(tmp_path / "deployment.json"), "--rpc", contract.chain.url]
        files = ["--proof", str(tmp_path / "proof.json"), "--audit-key", str(tmp_path / "key.json")]
        with structlog.testing.capture_logs():
            result = CliRunner().invoke(app, ["site", *where, *files])
        return result.exception, result.stdout

    words = {word.patient: word.word_id for word in world.clinic.words()}
    (trace,) = traces_of(world.clinic.store, "P-001", world.history, SITE_ID)
    assert trace.round == 1
    held_out_free = next(
        word.word_id for word in world.clinic.words() if word.patient == "P-001" and "was in" in audit(word.word_id)[1]
    )
    error, said = audit(held_out_free)
    assert error is None
    assert "was in the update of dhaka-general in round 1" in said
    assert "given by the patient" in said
    error, said = audit(words["P-002"])
    assert error is None
    assert "was not in the update" in said
    error, said = audit(words["P-002"], proof_of=held_out_free)
    assert isinstance(error, AuditError)
    assert said.startswith("DIFFERENT: the proof shows another sample's leaf")
