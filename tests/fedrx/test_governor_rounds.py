"""What a governor is told: a round that is aborted in its time, a site that is not there, an account without funds."""

from __future__ import annotations

from pathlib import Path

import pytest

from fedrx.governor import open_governor
from protocol.errors import ConfigError, LedgerError
from protocol.history import RoundView
from protocol.identifiers import CID, Digest, aggregator_id_of, lineage_id_of, site_id_of
from protocol.ledger_calls import AdmitAggregator, AnnounceRoundKey, CreateLineage, OpenRound, SetAggregators
from protocol.ledger_events import RoundAborted
from protocol.plan import PLAN_SCHEMA
from scripts.local_chain import LocalChain
from tests.fedrx.governance import Governance

pytestmark = [pytest.mark.chain]

SOME, SOME_CID = Digest(b"\x01" * 32), CID(b"\x02" * 32)
LINEAGE_ID = lineage_id_of("letters")


def open_round(governance: Governance, *, attest_after_seconds: int) -> None:
    """A round of one aggregator, which is the governor's own account: nobody ever attests it."""
    with open_governor(governance.config) as governor:
        ledger, north = governor.ledger, aggregator_id_of("north")
        ledger.send(CreateLineage(LINEAGE_ID, 0, SOME, SOME_CID, SOME, PLAN_SCHEMA))
        ledger.send(AdmitAggregator(north, governor.account, SOME))
        ledger.send(SetAggregators((north,), 1))
        ledger.send(AnnounceRoundKey(LINEAGE_ID, 1, SOME, SOME_CID))
        now = ledger.head().timestamp
        opening = OpenRound(
            lineage_id=LINEAGE_ID,
            round=1,
            parent_digest=SOME,
            plan_digest=SOME,
            plan_cid=SOME_CID,
            recipients_digest=SOME,
            deadline=now + attest_after_seconds // 2,
            attest_by=now + attest_after_seconds,
            min_accepted=3,
            selected=(7,),
        )
        ledger.send(opening)


def the_round(governance: Governance) -> RoundView:
    return governance.history.lineages[LINEAGE_ID].rounds[1]


def test_a_round_is_aborted_once_its_time_is_over(governance: Governance) -> None:
    words = ("governor", "abort", "--lineage", "letters")
    with pytest.raises(ConfigError, match="there is no lineage letters"):
        governance.run(*words)
    for slug in ("north-clinic", "south-clinic", "east-clinic"):
        governance.admit(slug)
    open_round(governance, attest_after_seconds=10_000)
    with pytest.raises(ConfigError, match=r"the aggregators have until 20\d\d-.*Z to attest round 1 of letters"):
        governance.run(*words)
    assert the_round(governance).outcome is None
    # No block comes with the time: the command must not judge by the newest block's clock.
    governance.chain.rpc("evm_increaseTime", 10_000)
    assert "aborted round 1 of letters" in governance.run(*words).stdout
    assert isinstance(the_round(governance).outcome, RoundAborted)
    with pytest.raises(ConfigError, match="letters has no live round"):
        governance.run(*words)


def test_a_site_that_is_not_there_is_no_errand_for_the_governor_to_itself(governance: Governance) -> None:
    for command in ("suspend", "reinstate"):
        with pytest.raises(ConfigError, match="no site no-such-clinic was ever admitted") as raised:
            governance.run("governor", command, "no-such-clinic")
        assert "ask the governor" not in str(raised.value)


def test_suspending_and_reinstating_twice_says_so(governance: Governance) -> None:
    governance.admit("late-clinic")
    assert "is not suspended" in governance.run("governor", "reinstate", "late-clinic").stdout
    assert "suspended in" in governance.run("governor", "suspend", "late-clinic").stdout
    assert "suspended already" in governance.run("governor", "suspend", "late-clinic").stdout
    assert governance.history.sites[site_id_of("late-clinic")].suspended
    assert "reinstated in" in governance.run("governor", "reinstate", "late-clinic").stdout


def test_a_governor_without_funds_is_told_which_account_needs_them(hardhat_chain: LocalChain, tmp_path: Path) -> None:
    poor = Governance(tmp_path / "governor", hardhat_chain)
    with pytest.raises(LedgerError, match=f"account {poor.account} cannot pay") as raised:
        poor.run("deploy")
    assert "ask the governor" not in str(raised.value)
    assert "send it ether" in str(raised.value)
    assert not (poor.folder / "deployment.json").exists()
