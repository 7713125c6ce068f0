"""scripts/deploy.py and scripts/local_chain.py, as their users run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateways.ledger.web3_ledger import Web3Ledger
from protocol.deployment import parse_deployment
from protocol.errors import ConfigError, LedgerUnavailableError
from scripts.compile_contracts import ROOT
from scripts.deploy import main, parse_key
from scripts.local_chain import LocalChain
from tests.fixtures_chain import ContractWorld

GOVERNOR = "0x" + "0d" * 20


@pytest.mark.chain
def test_deploying_writes_a_file_that_connects_and_again_changes_nothing(
    contract: ContractWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deployment.json"
    arguments = ["--rpc", contract.chain.url, "--governor", GOVERNOR, "--unlocked-account", "--out", str(out)]
    assert main(arguments) == 0
    first = out.read_bytes()
    deployment = parse_deployment(first)
    assert str(deployment.governor) == GOVERNOR
    Web3Ledger.connect(contract.chain.url, deployment)
    assert main(arguments) == 0
    assert "nothing was changed" in capsys.readouterr().out
    assert out.read_bytes() == first


@pytest.mark.chain
def test_a_key_file_deploys_and_a_predecessor_is_named(contract: ContractWorld, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0x" + "17" * 32 + "\n")
    key.chmod(0o600)
    out, previous = tmp_path / "new.json", tmp_path / "old.json"
    arguments = ["--rpc", contract.chain.url, "--governor", GOVERNOR]
    assert main([*arguments, "--unlocked-account", "--out", str(previous)]) == 0
    arguments += ["--key-file", str(key), "--predecessor", str(previous), "--out", str(out)]
    assert main(arguments) == 4, "the account has no funds"
    assert not out.exists()
    from gateways.ledger.signers import KeySigner  # noqa: PLC0415

    contract.governor.transfer(KeySigner(b"\x17" * 32).account, 10**18)
    assert main(arguments) == 0
    old = parse_deployment(previous.read_bytes())
    linked = parse_deployment(out.read_bytes()).predecessor
    assert linked is not None
    assert (linked.chain_id, linked.contract_address) == (old.chain_id, old.contract_address)


@pytest.mark.chain
def test_a_file_of_another_chain_is_not_overwritten(contract: ContractWorld, tmp_path: Path) -> None:
    out = tmp_path / "deployment.json"
    with LocalChain("anvil") as other:
        arguments = ["--governor", GOVERNOR, "--unlocked-account", "--out", str(out)]
        assert main(["--rpc", other.url, *arguments]) == 0
    before = out.read_bytes()
    assert main(["--rpc", contract.chain.url, *arguments]) == ConfigError.exit_code
    assert out.read_bytes() == before


@pytest.mark.chain
@pytest.mark.slow
def test_verify_compiles_and_compares(contract: ContractWorld, tmp_path: Path) -> None:
    out = tmp_path / "deployment.json"
    rpc = ["--rpc", contract.chain.url]
    assert main([*rpc, "--governor", GOVERNOR, "--unlocked-account", "--out", str(out)]) == 0
    assert main([*rpc, "--verify", str(out)]) == 0
    text = out.read_text()
    digest = str(parse_deployment(out.read_bytes()).creation_code_digest)
    out.write_text(text.replace(digest, "0x" + "00" * 32))
    assert main([*rpc, "--verify", str(out)]) == 4


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("17" * 32)
    key.chmod(0o644)
    arguments = ["--rpc", "http://127.0.0.1:9", "--governor", GOVERNOR, "--key-file", str(key)]
    assert main([*arguments, "--out", str(tmp_path / "d.json")]) == ConfigError.exit_code


@pytest.mark.parametrize("text", ["", "17", "zz" * 32, "0x" + "17" * 33])
def test_a_key_that_is_none_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


@pytest.mark.chain
def test_a_local_chain_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from scripts.local_chain import LocalChain\n"
        "with LocalChain('anvil') as chain:\n"
        "    print(chain.pid, flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    give_up = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


@pytest.mark.chain
def test_a_port_that_is_taken_is_said_so() -> None:
    with LocalChain("anvil") as chain, pytest.raises(LedgerUnavailableError):
        LocalChain("anvil", port=chain.port).__enter__()


def test_hardhat_cannot_keep_its_state(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        LocalChain("hardhat", state_file=tmp_path / "state")
