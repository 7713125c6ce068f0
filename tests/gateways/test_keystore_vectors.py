"""docs/spec/keystore.md: what every implementation opens and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateways.key_ring import sealing
from protocol import errors

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "keystore.json").read_text(encoding="utf-8"))


def test_a_keystore_of_the_vectors_opens_to_their_secrets() -> None:
    for case in VECTORS["accepted"]:
        secrets, key = sealing.unseal_with(bytes.fromhex(case["passphrase"]), case["file"].encode())
        assert {name: secret.hex() for name, secret in secrets.items()} == case["secrets"]
        assert key.key.hex() == case["key"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_a_changed_keystore_is_refused_by_the_named_failure(case: dict[str, Any]) -> None:
    (good,) = VECTORS["accepted"]
    text = good["file"]
    if "replace" in case:
        assert case["replace"] in text
        text = text.replace(case["replace"], case["by"], 1)
    with pytest.raises(errors.KeyRingError) as caught:
        sealing.unseal_with(bytes.fromhex(case.get("passphrase", good["passphrase"])), text.encode())
    assert type(caught.value).__name__ == case["error"]
