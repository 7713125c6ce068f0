"""The report for a regulator: what it says, that each line resolves, that it is the same bytes, and who signed it."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from io import BytesIO

import pypdfium2
import pytest
from typer.testing import CliRunner

from audit.accuracy import NO_SCORES, Accuracy
from audit.lineage import generations
from audit.names import Names
from audit.proof_commands import _chosen
from audit.regulator.contents import report_of
from audit.regulator.page import report_html
from audit.regulator.parts import Report, Scope, Section, Sources
from audit.regulator.pdf import report_pdf
from audit.regulator.signing import ReportSignature, encode_signature, parse_signature, sign_report, signed_by
from audit.scores import Exam, ModelScore, Scores
from protocol import ledger_events as ev
from protocol.account_signatures import account_of
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.history import History
from protocol.identifiers import AccountAddress, digest_of, lineage_id_of
from protocol.ports import BlockHeader
from protocol.verdicts import VerdictCode
from tests.audit.auditor_app import app
from tests.audit.stage import change, honest_network, logs_of, run
from tests.protocol.builders import Network

NAMES = Names(["tests", "aggregator-0", *(f"site-{number}" for number in range(4))])
KEY = bytes(range(1, 33))
ALL = Scope()
CONTRACT = AccountAddress.from_hex("0x" + "ab" * 20)


@pytest.fixture(scope="module")
def network() -> Network:
    return honest_network(rounds=3)


@pytest.fixture(scope="module")
def logs(network: Network) -> list[ev.LocatedEvent]:
    return change(logs_of(network), ev.RoundFinalized, 2, codes=bytes([0, 0, VerdictCode.NORM_TOO_LARGE, 0]))


def made(
    network: Network,
    logs: list[ev.LocatedEvent],
    scope: Scope = ALL,
    *,
    replayed: bool = False,
    accuracy: Accuracy = NO_SCORES,
    undeclared: tuple[str, ...] = (),
) -> Report:
    last = logs[-1].position
    head = BlockHeader(last.block_number, last.block_hash, last.timestamp)
    finding = run(network) if replayed else None
    sources = Sources(network.identity, head, logs, finding, (("Software", "fedrx 1"),), accuracy, undeclared)
    return report_of(sources, scope, NAMES)


def section(report: Report, title: str) -> Section:
    (found,) = [one for one in report.sections if one.title == title]
    return found


def test_every_update_is_a_line_and_a_refused_one_is_told_with_its_reason(
    network: Network, logs: list[ev.LocatedEvent]
) -> None:
    report = made(network, logs)
    assert len(section(report, "Participation").lines) == 12
    (refused,) = section(report, "Refusals").lines
    assert "was refused: the update is longer than the plan's norm bound (verdict 90)" in refused.text
    assert [line.text.split(":")[0] for line in section(report, "Rounds").lines] == [
        f"Round {number} of tests" for number in (1, 2, 3)
    ]
    assert section(report, "Consents and withdrawals").lines


def test_every_proof_that_a_line_names_can_be_chosen_from_the_same_history(
    network: Network, logs: list[ev.LocatedEvent]
) -> None:
    proofs = 0
    for part in made(network, logs).sections:
        for line in part.lines:
            if line.proof:
                what, *words = shlex.split(line.proof)
                given = dict(zip(words[::2], words[1::2], strict=True))
                number = int(given["--round"]) if "--round" in given else None
                choose = _chosen(
                    what,  # type: ignore[arg-type]
                    given.get("--site"),
                    number,
                    given.get("--lineage"),
                    given.get("--model"),
                    given.get("--consent-root"),
                    None,
                )
                assert line.tx in {str(located.position.tx_hash) for located in choose(logs)}
                proofs += 1
    assert proofs > 20


def test_only_the_rounds_that_were_asked_for_are_told(network: Network, logs: list[ev.LocatedEvent]) -> None:
    report = made(network, logs, Scope(range(2, 3)))
    assert len(section(report, "Rounds").lines) == 1
    assert len(section(report, "Participation").lines) == 4
    assert not section(made(network, logs, Scope(range(3, 4))), "Refusals").lines


def test_what_was_not_replayed_is_said_and_what_was_is_told(network: Network, logs: list[ev.LocatedEvent]) -> None:
    untold = section(made(network, logs_of(network)), "Replay")
    assert untold.lead.endswith("The event logs show no break of the contract's rules.")
    assert not untold.lines
    told = section(made(network, logs_of(network), replayed=True), "Replay")
    assert told.lines[-1].text == "3 of 3 global models recomputed, same bytes"
    secret = made(network, logs_of(network), replayed=True, undeclared=("the use of key 1 is not declared on chain",))
    assert section(secret, "Replay").lines[-1].text == "note: the use of key 1 is not declared on chain"


def test_scores_are_told_with_their_maker_and_without_a_transaction(
    network: Network, logs: list[ev.LocatedEvent]
) -> None:
    assert "fedrx audit score" in section(made(network, logs), "Accuracy").lead
    models = generations(History(logs).lineages[network.lineage_id])
    exam = Exam(digest_of("words"), 4, None, network.backbone_digest, "head")
    marks = [ModelScore(model.round or 0, model.digest, 0, 10**6, bytes([place]), "fedrx 1")
             for place, model in enumerate(models)]  # fmt: skip
    accuracy = Accuracy([Scores(network.identity, network.lineage_id, exam, tuple(marks))])
    told = section(made(network, logs, accuracy=accuracy), "Accuracy")
    assert told.lead.startswith(f"Scored on 4 words (digest {digest_of('words')})")
    assert [line.text.split(" words")[0] for line in told.lines] == [
        "tests, round 0: 0 of 4", "tests, round 1: 1 of 4", "tests, round 2: 1 of 4", "tests, round 3: 2 of 4",
    ]  # fmt: skip
    assert "as many as round 1: 1 newly right, 1 newly wrong; could be chance" in told.lines[2].text
    assert not any(line.tx or line.proof for line in told.lines)
    only = section(made(network, logs, Scope(range(2, 3)), accuracy=accuracy), "Accuracy")
    assert [line.text.split(":")[0] for line in only.lines] == ["tests, round 2"]


def test_an_update_that_the_endpoint_left_out_is_told_without_ipfs(network: Network) -> None:
    logs = logs_of(network)
    last = [one for one in logs if isinstance(one.event, ev.UpdateRegistered) and one.event.round == 2][-1]
    told = section(made(network, [one for one in logs if one is not last]), "Replay")
    assert any("Round 2 of tests" in line.text for line in told.lines)


def test_the_same_report_is_the_same_page_and_the_same_pdf(network: Network, logs: list[ev.LocatedEvent]) -> None:
    report = made(network, logs)
    assert report_html(report) == report_html(report)
    assert report_pdf(report) == report_pdf(report)


def test_the_page_loads_nothing_and_writes_names_as_text(network: Network, logs: list[ev.LocatedEvent]) -> None:
    evil = dataclasses.replace(made(network, logs), title="<script>alert(1)</script>")
    page = report_html(evil).decode()
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!#)', page)


def test_the_pdf_holds_every_line(network: Network, logs: list[ev.LocatedEvent]) -> None:
    report = made(network, logs)
    document = pypdfium2.PdfDocument(BytesIO(report_pdf(report)))
    text = re.sub(r"\s+", "", "".join(page.get_textpage().get_text_range() for page in document))
    for part in report.sections:
        for line in part.lines:
            assert line.tx in text
            assert re.sub(r"\s+", "", line.text.translate({ord("…"): "..."})) in text.replace("\ufffe", "")


def test_a_signature_is_one_files_and_one_accounts() -> None:
    signed = sign_report(b"report", 31337, CONTRACT, KEY)
    assert signed_by(b"report", signed) == account_of(KEY)
    with pytest.raises(AuditError, match="another file's"):
        signed_by(b"reporu", signed)
    elsewhere = dataclasses.replace(signed, chain_id=1)
    assert signed_by(b"report", elsewhere) != account_of(KEY)
    with pytest.raises(AuditError, match="nobody's"):
        signed_by(b"report", dataclasses.replace(signed, signature=bytes(65)))


def test_a_signatures_file_comes_back() -> None:
    signed = sign_report(b"report", 31337, CONTRACT, KEY)
    assert parse_signature(encode_signature(signed)) == signed


@pytest.mark.parametrize("change_", [("format", "x"), ("signature", "0x00"), ("signature", "AB"), ("sha256", "0x12")])
def test_a_signatures_file_of_another_shape_is_malformed(change_: tuple[str, str]) -> None:
    signed = ReportSignature(1, CONTRACT, sign_report(b"", 1, CONTRACT, KEY).sha256, bytes(65))
    fields = json.loads(encode_signature(signed))
    fields[change_[0]] = change_[1]
    with pytest.raises(MalformedError):
        parse_signature(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())


def test_another_ending_is_refused_before_anything_is_read() -> None:
    found = CliRunner().invoke(app, ["report", "--deployment", "none", "--rpc", "http://127.0.0.1:1", "-o", "a.docx"])
    assert isinstance(found.exception, ConfigError)


@pytest.mark.parametrize("scope", [Scope(range(50, 61)), Scope(lineage_id=lineage_id_of("test"))])
def test_a_slip_in_a_lineage_or_a_round_is_no_report_of_nothing(
    network: Network, logs: list[ev.LocatedEvent], scope: Scope
) -> None:
    with pytest.raises(ConfigError, match="none of these rounds"):
        made(network, logs, scope)
