"""Every refusal of every function, alone, with its arguments; on the contract and on the fake.

One network holds a site, an aggregator and a lineage in each state. A refused call changes nothing, so all cases share
it, and each case names who calls what and the exception in full. The cases stand in tests/contracts/refusals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import pytest

from gateways.ledger.contract_abi import load_artifact
from protocol import reverts
from protocol.deployment import Deployment
from protocol.identifiers import AccountAddress
from protocol.ledger_calls import DeclareAuditorKeyUse
from scripts.local_chain import LocalChain
from tests.contracts.refusals import consents, endings, membership, openings, updates
from tests.contracts.refusals.cases import Case
from tests.contracts.refusals.endings import GOOD
from tests.contracts.refusals.membership import AUDITOR, NEW_AGGREGATOR, NEW_SITE, ROTATE
from tests.contracts.refusals.openings import ANNOUNCE, LINE, opening
from tests.contracts.refusals.parties import FOREVER, KEY
from tests.contracts.refusals.scene import LIVE, Scene, build_scene, register_in
from tests.contracts.setting import Network, bitmap, consent_call
from tests.fakes.ledger_world import FakeWorld
from tests.fixtures_chain import ContractWorld

PARTS = (membership, consents, openings, updates, endings)
CASES = [case for part in PARTS for case in part.TABLE.cases]


@pytest.fixture(scope="module", params=["fake", pytest.param("contract", marks=pytest.mark.chain)])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    if request.param == "fake":
        yield build_scene(FakeWorld())
        return
    chain: LocalChain = request.getfixturevalue("hardhat_chain")
    deployment: Deployment = request.getfixturevalue("suite_deployment")
    snapshot = chain.rpc("evm_snapshot")
    yield build_scene(ContractWorld(chain, deployment, deployment.governor))
    assert chain.rpc("evm_revert", snapshot)


ELSEWHERE = {
    "ConsentAlreadyExpiredError": "its argument is the block's time: test_time_and_limits",
    "DeadlineInPastError": "the same",
    "AttestByTooLateError": "the same",
    "AttestationStillDueError": "the same",
    "TooManySitesError": "needs 16,384 sites: test_time_and_limits",
    "SuiteIsSealedError": "sealing is final: test_time_and_limits",
    "GovernorCannotRenounceError": "no call of ours: test_time_and_limits",
    "OwnableInvalidOwnerError": "the constructor's: test_time_and_limits",
}


@pytest.mark.parametrize("case", CASES, ids=[f"{case.caller}: {case.name}" for case in CASES])
def test_a_call_is_refused_with_its_reason(scene: Scene, case: Case) -> None:
    expected = case.refusal(scene)
    with pytest.raises(reverts.ContractError) as caught:
        scene.callers[case.caller].send(case.call(scene))
    assert type(caught.value) is type(expected)
    assert [getattr(caught.value, f.name) for f in fields(expected)] == [
        getattr(expected, f.name) for f in fields(expected)
    ]


def test_the_good_calls_beside_the_refused_ones_are_taken(scene: Scene) -> None:
    """So that no case above is refused for another reason than the one it changes."""
    sent = [
        ("governor", NEW_SITE),
        ("governor", replace(NEW_AGGREGATOR, account=AccountAddress(b"\x1f" * 20))),
        ("governor", AUDITOR),
        ("auditor", DeclareAuditorKeyUse(1, LIVE, 1, 1)),
        ("governor", LINE),
        ("site-0", consent_call(KEY, FOREVER)),
        ("site-1", consent_call(KEY, FOREVER, patients=0, waivers=1)),
        ("aggregator-0", ANNOUNCE),
        ("aggregator-0", opening()(scene)),
        ("site-3", register_in("site-3", LIVE)),
        ("aggregator-0", GOOD),
        ("site-0", replace(ROTATE, account=AccountAddress(b"\x2f" * 20))),
    ]
    for caller, call in sent:
        assert scene.callers[caller].send(call).events, call


def test_every_error_of_the_contract_has_a_case() -> None:
    declared = {entry["name"] + "Error" for entry in load_artifact().abi if entry["type"] == "error"}
    network = Network(FakeWorld(), (), ())
    blank = FakeWorld().governor
    names = [case.caller for case in CASES]
    scene = Scene(network, dict.fromkeys([*names, "spent"], blank), AccountAddress(b"\x01" * 20), 0)
    tried = set()
    for case in CASES:
        try:
            tried.add(type(case.refusal(scene)).__name__)
        except LookupError:
            tried.add("ConsentNotInForceError")
    assert tried | ELSEWHERE.keys() == declared
    assert not tried & ELSEWHERE.keys()


def test_bitmaps_of_the_setting_are_words_over_ordinals() -> None:
    assert bitmap([0, 2]) == (0b101,)
    assert bitmap([1, 256]) == (0b10, 1)
