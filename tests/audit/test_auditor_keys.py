"""The auditor's keystore, and what has to be declared before a key is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.auditor_keys import make_auditor_key, open_auditor_keys, uses_to_declare
from audit.chain_walk import Walk, walk_chain
from audit.names import Names
from gateways.ledger.signers import KeySigner
from protocol import ledger_events as ev
from protocol.errors import WrongPassphraseError
from protocol.identifiers import lineage_id_of
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from tests.audit.stage import honest_network, logs_of
from tests.protocol.builders import Network, account_of


def walked(network: Network) -> Walk:
    return walk_chain(logs_of(network), network.identity, Names())


def test_keygen_keeps_old_keys_and_the_account_over_epochs(tmp_path: Path) -> None:
    first = make_auditor_key(tmp_path / "auditor", b"several long words")
    second = make_auditor_key(tmp_path / "auditor", b"several long words")
    assert first.account == second.account
    assert first.public_key_file != second.public_key_file
    opened = open_auditor_keys(first.keystore, b"several long words")
    digests = {public_key_digest(key.public_key()) for key in opened.keys}
    assert digests == {first.key_digest, second.key_digest}
    assert public_key_digest(first.public_key_file.read_bytes()) == first.key_digest
    assert KeySigner(opened.account_key).account == first.account
    assert first.keystore.stat().st_mode & 0o777 == 0o600
    assert "key" not in repr(opened).replace("AuditorKeys", "").replace("2 keys", "")
    with pytest.raises(WrongPassphraseError):
        open_auditor_keys(first.keystore, b"other words")
    with pytest.raises(WrongPassphraseError):
        make_auditor_key(tmp_path / "auditor", b"other words")


def test_the_rounds_of_each_epoch_are_declared_under_their_own_key() -> None:
    network = honest_network(rounds=2)
    first_key = network.auditor_key
    second_key = RecipientPrivateKey.generate()
    public = second_key.public_key()
    network.emit(ev.AuditorKeyPublished(2, account_of("auditor"), public_key_digest(public), network.put(public)))
    network.open_round()
    walk = walked(network)
    calls = uses_to_declare(walk, [first_key, second_key], None, None)
    assert [(call.epoch, call.first_round, call.last_round) for call in calls] == [(1, 1, 2), (2, 3, 3)]
    assert [call.epoch for call in uses_to_declare(walk, [second_key], None, None)] == [2]
    assert uses_to_declare(walk, [RecipientPrivateKey.generate()], None, None) == ()
    assert uses_to_declare(walk, [first_key], lineage_id_of("elsewhere"), None) == ()
    (one,) = uses_to_declare(walk, [first_key], None, [2])
    assert (one.first_round, one.last_round) == (2, 2)


def test_what_was_declared_is_not_declared_again() -> None:
    network = honest_network(rounds=2)
    network.emit(ev.AuditorKeyUsed(1, network.lineage_id, 1, 1))
    assert len(uses_to_declare(walked(network), [network.auditor_key], None, None)) == 1
    assert uses_to_declare(walked(network), [network.auditor_key], None, [1]) == ()
    network.emit(ev.AuditorKeyUsed(1, network.lineage_id, 1, 2))
    assert uses_to_declare(walked(network), [network.auditor_key], None, None) == ()
