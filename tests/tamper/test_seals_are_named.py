"""The catalogue, run: on a chain that validators seal, whatever was changed is named to whoever trusts them."""

from __future__ import annotations

import pytest

from tests.tamper.catalogue import VERIFY_SEALS, Mutation, mutations
from tests.tamper.seals import SealedEvidence, sealed_evidence, sealed_proof_refused
from tests.tamper.test_others_name_it import is_named, name_of


@pytest.fixture(scope="module")
def honest() -> SealedEvidence:
    return sealed_evidence()


def test_an_honest_proof_on_a_sealed_chain_is_believed(honest: SealedEvidence) -> None:
    assert sealed_proof_refused(honest) == []


@pytest.mark.parametrize("mutation", mutations(VERIFY_SEALS), ids=name_of)
def test_a_proof_on_a_sealed_chain_that_was_changed_is_named(mutation: Mutation, honest: SealedEvidence) -> None:
    changed = honest.copy()
    mutation.change(changed)
    assert changed != honest, "it changes nothing"
    found = sealed_proof_refused(changed)
    assert is_named(found, mutation), found
