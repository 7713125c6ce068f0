"""The catalogue, run: what is handed over is checked against a checkpoint, and whatever was changed is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tamper.catalogue import VERIFY_BUNDLE, VERIFY_NOTE, VERIFY_PROOF, Mutation, mutations
from tests.tamper.evidence import Evidence, bundle_refused, made_evidence, note_refused, proof_refused
from tests.tamper.test_others_name_it import is_named, name_of

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evidence]:
    with made_evidence(tmp_path_factory.mktemp("evidence")) as made:
        yield made


@pytest.fixture
def evidence(honest: Evidence) -> Evidence:
    return honest.copy()


def test_honest_evidence_is_believed(evidence: Evidence, tmp_path: Path) -> None:
    assert proof_refused(evidence) == []
    assert bundle_refused(evidence, tmp_path) == []
    assert note_refused(evidence) == []


@pytest.mark.parametrize("mutation", mutations(VERIFY_PROOF), ids=name_of)
def test_a_proof_file_that_was_changed_is_named(mutation: Mutation, evidence: Evidence, honest: Evidence) -> None:
    mutation.change(evidence)
    assert evidence != honest, "it changes nothing"
    found = proof_refused(evidence)
    assert is_named(found, mutation), found


@pytest.mark.parametrize("mutation", mutations(VERIFY_BUNDLE), ids=name_of)
def test_a_bundle_that_was_changed_is_named(
    mutation: Mutation, evidence: Evidence, honest: Evidence, tmp_path: Path
) -> None:
    mutation.change(evidence)
    # The order of a bundle's members counts, and that of a dictionary does not.
    assert (evidence, [*evidence.parts.contents]) != (honest, [*honest.parts.contents]), "it changes nothing"
    found = bundle_refused(evidence, tmp_path)
    assert is_named(found, mutation), found


@pytest.mark.parametrize("mutation", mutations(VERIFY_NOTE), ids=name_of)
def test_a_note_that_was_changed_is_named(mutation: Mutation, evidence: Evidence, honest: Evidence) -> None:
    mutation.change(evidence)
    assert evidence != honest, "it changes nothing"
    found = note_refused(evidence)
    assert is_named(found, mutation), found
