"""The types of protocol/ and the contract say the same, name for name."""

from __future__ import annotations

import json
import re
import typing
from dataclasses import fields
from enum import IntEnum
from types import GenericAlias
from typing import Any

import pytest

from gateways.ledger.contract_abi import FOREIGN_EVENTS, load_artifact
from protocol import ledger_calls, ledger_events, reverts
from protocol.identifiers import AccountAddress, digest_of
from protocol.round import TRANSITIONS
from protocol.standing import RoundState, SiteStatus
from scripts.compile_contracts import ARTIFACT, ROOT, compile_suite, encode_artifact, read_sources

ABI = load_artifact().abi
UNSENT = {"renounceOwnership"}
"""Always reverts: no call is made of it."""


def entries(kind: str) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in ABI if entry["type"] == kind}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def shape(value_type: type) -> list[tuple[str, str]]:
    hints = typing.get_type_hints(value_type)
    return [(field.name, solidity_kind(hints[field.name])) for field in fields(value_type)]


def solidity_kind(hint: Any) -> str:
    if isinstance(hint, GenericAlias):
        return solidity_kind(typing.get_args(hint)[0]) + "[]"
    if hint is int or issubclass(hint, IntEnum):
        return "uint"
    if hint in (bytes, str):
        return {bytes: "bytes", str: "string"}[hint]
    return "address" if issubclass(hint, AccountAddress) else "bytes32"


def abi_shape(inputs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(snake(item["name"]), re.sub(r"uint\d+", "uint", item["type"])) for item in inputs]


def test_every_event_has_its_type_and_every_type_its_event() -> None:
    declared = entries("event").keys() - FOREIGN_EVENTS
    assert declared == {event.__name__ for event in typing.get_args(ledger_events.LedgerEvent)}


@pytest.mark.parametrize("event", typing.get_args(ledger_events.LedgerEvent), ids=lambda event: event.__name__)
def test_an_event_has_the_fields_of_its_type_and_a_format_version(event: type) -> None:
    *inputs, version = entries("event")[event.__name__]["inputs"]
    assert abi_shape(inputs) == shape(event)
    assert (version["name"], version["type"], version["indexed"]) == ("formatVersion", "uint8", False)


def test_every_function_that_writes_has_its_call_and_every_call_its_function() -> None:
    writing = {name for name, entry in entries("function").items() if entry["stateMutability"] == "nonpayable"}
    calls = {call.__name__[0].lower() + call.__name__[1:] for call in typing.get_args(ledger_calls.LedgerCall)}
    assert writing - UNSENT == calls
    assert not [entry for entry in ABI if entry.get("stateMutability") == "payable"]


@pytest.mark.parametrize("call", typing.get_args(ledger_calls.LedgerCall), ids=lambda call: call.__name__)
def test_a_function_has_the_arguments_of_its_call(call: type) -> None:
    name = call.__name__[0].lower() + call.__name__[1:]
    assert abi_shape(entries("function")[name]["inputs"]) == shape(call)


def test_every_error_has_its_exception_and_every_exception_its_error() -> None:
    twins = {twin.__name__ for twin in reverts.ContractError.__subclasses__()}
    assert twins == {name + "Error" for name in entries("error")}


@pytest.mark.parametrize("name", sorted(entries("error")))
def test_an_error_has_the_attributes_of_its_exception(name: str) -> None:
    twin = getattr(reverts, name + "Error")
    assert abi_shape(entries("error")[name]["inputs"]) == shape(twin)
    assert twin.what_happened
    assert twin.what_to_do


@pytest.mark.parametrize(
    ("enum", "file"), [(SiteStatus, "IMembership"), (RoundState, "IRounds")], ids=["SiteStatus", "RoundState"]
)
def test_enums_have_the_names_and_integers_of_the_contract(enum: type[IntEnum], file: str) -> None:
    source = (ROOT / "contracts" / "interfaces" / f"{file}.sol").read_text(encoding="utf-8")
    found = re.search(rf"enum {enum.__name__} {{([^}}]*)}}", source)
    assert found is not None
    names = [name.strip().upper() for name in found[1].split(",")]
    assert [(member.name, member.value) for member in enum] == [(name, value) for value, name in enumerate(names)]


def test_the_transition_table_of_the_specification_is_the_protocols() -> None:
    text = (ROOT / "docs" / "spec" / "round.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+) \((\d)\) \| (\w+) \((\d)\) \|", text, re.MULTILINE)
    table = {(RoundState[a.upper()], RoundState[b.upper()]) for a, _, b, _ in rows}
    assert table == TRANSITIONS
    assert all(RoundState[name.upper()] == int(number) for a, x, b, y in rows for name, number in ((a, x), (b, y)))


def test_the_committed_artifact_names_the_sources_as_they_are() -> None:
    """Fast: the sources' digests. The slow test compiles."""
    digests = {name: str(digest_of("contract-source", text.encode())) for name, text in read_sources().items()}
    assert digests == json.loads(ARTIFACT.read_text(encoding="utf-8"))["sources"]


@pytest.mark.slow
def test_the_committed_artifact_is_what_the_sources_compile_to() -> None:
    assert ARTIFACT.read_text(encoding="utf-8") == encode_artifact(compile_suite())


def test_every_external_function_is_documented_in_its_interface() -> None:
    for path in sorted((ROOT / "contracts").glob("*.sol")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if re.match(r"    function \w+\(.*", line) and " internal" not in line and " private" not in line:
                head = " ".join(lines[number : number + 14]).split("{")[0]
                if " external" in head:
                    assert lines[number - 1].strip().startswith("/// @inheritdoc"), f"{path.name}:{number + 1}"
