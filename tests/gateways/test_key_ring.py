"""gateways/key_ring: what is on disk, who may open it, what a crash leaves."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.key_ring import KeyRing, read_new_passphrase, read_passphrase, sealing
from gateways.key_ring.accounts import address_of, create_account, open_account
from gateways.key_ring.sealing import Argon2Cost
from protocol import canonical_json
from protocol.errors import ConfigError, KeyRingError, StoreError, WrongPassphraseError

CHEAP = Argon2Cost(iterations=1, lanes=1, memory_kib=512)
PASSPHRASE = b"correct horse battery staple"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keystore.json"


@pytest.fixture
def key_ring(path: Path) -> KeyRing:
    return KeyRing.create(path, PASSPHRASE, cost=CHEAP)


def test_the_default_cost_is_the_memory_hard_option_of_rfc_9106(path: Path) -> None:
    KeyRing.create(path, PASSPHRASE).put("account", b"secret")
    kdf = json.loads(path.read_bytes())["kdf"]
    assert (kdf["name"], kdf["iterations"], kdf["lanes"], kdf["memory_kib"]) == ("argon2id", 3, 4, 65_536)
    assert KeyRing.open(path, PASSPHRASE).get("account") == b"secret"


def test_what_is_put_is_there_when_the_file_is_opened_again(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("account", b"\x00\xff secret")
    key_ring.put("witness/nurse", b"")
    reopened = KeyRing.open(path, PASSPHRASE)
    assert reopened.names() == ("account", "witness/nurse")
    assert reopened.get("account") == b"\x00\xff secret"
    assert reopened.get("witness/nurse") == b""


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9._/-]{0,20}", fullmatch=True), st.binary(max_size=200)))
def test_sealed_secrets_come_back_under_the_same_key(secrets: dict[str, bytes]) -> None:
    key = sealing.derive(PASSPHRASE, CHEAP)
    assert sealing.unseal(sealing.seal(secrets, key), key) == secrets


def test_another_passphrase_does_not_open_it(path: Path, key_ring: KeyRing) -> None:
    assert key_ring.names() == ()
    with pytest.raises(WrongPassphraseError, match="does not open"):
        KeyRing.open(path, PASSPHRASE + b" ")


def test_neither_names_nor_secrets_show_in_the_file_or_in_repr(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("witness/dr-rahman", b"\xca\xfe" * 16)
    text = path.read_text()
    assert "rahman" not in text
    assert b"witness/dr-rahman".hex() not in text
    assert "cafecafe" not in text
    for shown in (repr(key_ring), str(key_ring), repr(key_ring._key)):
        assert "rahman" not in shown
        assert "cafe" not in shown
        assert key_ring._key.key.hex() not in shown
        assert repr(key_ring._key.key) not in shown


def test_the_file_is_private_and_stays_private(path: Path, key_ring: KeyRing) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key_ring.put("account", b"x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_write_takes_a_fresh_nonce(path: Path, key_ring: KeyRing) -> None:
    nonces = set()
    for _ in range(5):
        key_ring.put("account", b"same")
        nonces.add(json.loads(path.read_bytes())["nonce"])
    assert len(nonces) == 5


@pytest.mark.parametrize("field", ["nonce", "sealed"])
def test_an_altered_field_does_not_open(path: Path, key_ring: KeyRing, field: str) -> None:
    key_ring.put("account", b"x")
    content = json.loads(path.read_bytes())
    content[field] = ("0" if content[field][0] != "0" else "1") + content[field][1:]
    path.write_bytes(canonical_json.encode(content))
    with pytest.raises(WrongPassphraseError):
        KeyRing.open(path, PASSPHRASE)


def test_a_lowered_cost_does_not_open(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("account", b"x")
    content = json.loads(path.read_bytes())
    content["kdf"]["iterations"] = 2
    path.write_bytes(canonical_json.encode(content))
    with pytest.raises(WrongPassphraseError):
        KeyRing.open(path, PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "fedrx-keystore/2"},
        {"extra": 1},
        {"nonce": "00"},
        {"sealed": "not hex"},
        {"kdf": {"name": "argon2id"}},
        {"kdf": {"iterations": 1, "lanes": 1, "memory_kib": 1 << 30, "name": "argon2id", "salt": "00" * 16}},
        {"kdf": {"iterations": 1, "lanes": 64, "memory_kib": 511, "name": "argon2id", "salt": "00" * 16}},
        {"kdf": {"iterations": 1, "lanes": 1, "memory_kib": 512, "name": "scrypt", "salt": "00" * 16}},
    ],
)
def test_a_file_of_another_shape_is_damaged(path: Path, key_ring: KeyRing, change: dict[str, object]) -> None:
    assert key_ring.names() == ()
    path.write_bytes(canonical_json.encode({**json.loads(path.read_bytes()), **change}))
    with pytest.raises(KeyRingError, match="damaged"):
        KeyRing.open(path, PASSPHRASE)


def test_bytes_that_are_no_json_are_damaged(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(KeyRingError, match="damaged"):
        KeyRing.open(path, PASSPHRASE)


def test_a_missing_file_and_a_missing_secret_say_so(path: Path) -> None:
    with pytest.raises(KeyRingError, match="there is no keystore"):
        KeyRing.open(path, PASSPHRASE)
    key_ring = KeyRing.create(path, PASSPHRASE, cost=CHEAP)
    for call in (key_ring.get, key_ring.delete):
        with pytest.raises(KeyRingError, match="holds no account"):
            call("account")


def test_an_existing_keystore_is_never_replaced(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("account", b"x")
    with pytest.raises(KeyRingError, match="exists"):
        KeyRing.create(path, PASSPHRASE, cost=CHEAP)
    assert KeyRing.open(path, PASSPHRASE).get("account") == b"x"


@pytest.mark.parametrize("name", ["", "Account", "a b", "../x", "x" * 129, "é"])
def test_what_is_no_name_is_refused(key_ring: KeyRing, name: str) -> None:
    with pytest.raises(KeyRingError, match="not a name"):
        key_ring.put(name, b"x")


def test_a_deleted_secret_is_gone_and_the_bytes_of_the_old_file_are_overwritten(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("round-key", b"to be destroyed")
    kept = path.with_name("hard-link-to-the-old-file")
    os.link(path, kept)
    key_ring.delete("round-key")
    assert key_ring.names() == ()
    assert KeyRing.open(path, PASSPHRASE).names() == ()
    assert set(kept.read_bytes()) == {0}


def test_two_open_key_rings_do_not_lose_each_others_secrets(path: Path, key_ring: KeyRing) -> None:
    other = KeyRing.open(path, PASSPHRASE)
    key_ring.put("first", b"1")
    other.put("second", b"2")
    key_ring.delete("first")
    assert KeyRing.open(path, PASSPHRASE).names() == ("second",)
    assert key_ring.get("second") == b"2"


def test_a_changed_passphrase_opens_and_the_old_one_does_not(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("account", b"x")
    stale = KeyRing.open(path, PASSPHRASE)
    key_ring.change_passphrase(b"another one")
    assert KeyRing.open(path, b"another one").get("account") == b"x"
    with pytest.raises(WrongPassphraseError):
        KeyRing.open(path, PASSPHRASE)
    with pytest.raises(KeyRingError, match="changed meanwhile"):
        stale.put("account", b"y")
    key_ring.put("account", b"z")
    assert KeyRing.open(path, b"another one").get("account") == b"z"


def test_kill_9_while_the_passphrase_changes_leaves_a_keystore_that_one_of_the_two_opens(
    path: Path, key_ring: KeyRing
) -> None:
    key_ring.put("account", b"kept")
    other = b"six other words of another kind"
    program = (
        "import itertools; from pathlib import Path; from gateways.key_ring import KeyRing\n"
        f"key_ring = KeyRing.open(Path({str(path)!r}), {PASSPHRASE!r}); print('ready', flush=True)\n"
        f"for passphrase in itertools.cycle([{other!r}, {PASSPHRASE!r}]): key_ring.change_passphrase(passphrase)\n"
    )
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            writer.kill()
        try:
            reopened = KeyRing.open(path, PASSPHRASE)
        except WrongPassphraseError:
            reopened = KeyRing.open(path, other)
        assert reopened.get("account") == b"kept"
        reopened.change_passphrase(PASSPHRASE)


def test_a_secret_takes_the_place_of_another_in_one_write(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("account", b"old")
    key_ring.put("account/next", b"new")
    key_ring.rename("account/next", "account")
    reopened = KeyRing.open(path, PASSPHRASE)
    assert reopened.names() == ("account",)
    assert reopened.get("account") == b"new"
    with pytest.raises(KeyRingError, match="holds no account/next"):
        key_ring.rename("account/next", "account")
    with pytest.raises(KeyRingError, match="not a name"):
        key_ring.rename("account", "Account")


def test_what_another_process_put_is_seen_after_a_reload(path: Path, key_ring: KeyRing) -> None:
    KeyRing.open(path, PASSPHRASE).put("account/next", b"new")
    assert key_ring.names() == ()
    key_ring.reload()
    assert key_ring.get("account/next") == b"new"


def test_an_empty_passphrase_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyRingError, match="empty"):
        KeyRing.create(path, b"")
    with pytest.raises(KeyRingError, match="empty"):
        KeyRing.create(tmp_path / "other", PASSPHRASE, cost=CHEAP).change_passphrase(b"")


def test_a_folder_that_cannot_be_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        KeyRing.create(tmp_path / "file" / "keystore.json", PASSPHRASE, cost=CHEAP)


def test_kill_9_while_writing_leaves_a_keystore_that_opens(path: Path, key_ring: KeyRing) -> None:
    key_ring.put("account", b"kept")
    program = (
        "import sys; from pathlib import Path; from gateways.key_ring import KeyRing\n"
        f"key_ring = KeyRing.open(Path({str(path)!r}), {PASSPHRASE!r}); print('ready', flush=True)\n"
        "while True: key_ring.put('counter', bytes(5000))\n"
    )
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            writer.kill()
        reopened = KeyRing.open(path, PASSPHRASE)
        assert reopened.get("account") == b"kept"
        reopened.put("account", b"kept")


def test_an_account_is_created_once_and_signs_again(key_ring: KeyRing, path: Path) -> None:
    address = create_account(key_ring, "account")
    assert address_of(open_account(KeyRing.open(path, PASSPHRASE), "account")) == address
    assert len(key_ring.get("account")) == 32
    with pytest.raises(KeyRingError, match="already"):
        create_account(key_ring, "account")


@pytest.mark.parametrize("secret", [b"", b"short", bytes(32), b"\xff" * 32])
def test_a_secret_that_is_no_account_key_is_said_to_be_none(key_ring: KeyRing, secret: bytes) -> None:
    key_ring.put("account", secret)
    with pytest.raises(KeyRingError, match="not an Ethereum account key"):
        open_account(key_ring, "account")


@pytest.mark.parametrize("text", ["pass phrase", "pass phrase\n", "pass phrase\r\n"])
def test_a_passphrase_file_gives_its_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(text.encode())
    file.chmod(0o600)
    assert read_passphrase(file, "never asked", ask=lambda prompt: prompt) == b"pass phrase"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_passphrase_file_that_others_may_read_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "passphrase"
    file.write_text("x")
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        read_passphrase(file, "")


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"\xff", b"x" * 5000])
def test_a_file_without_one_line_of_text_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError):
        read_passphrase(file, "")


def test_folders_missing_files_and_no_terminal_are_config_errors(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigError):
            read_passphrase(file, "")
    with pytest.raises(ConfigError, match="no passphrase"):
        read_passphrase(None, "Passphrase: ")


def test_the_same_words_typed_elsewhere_are_the_same_bytes() -> None:
    composed, decomposed = "\u00e9", "e\u0301"
    assert read_passphrase(None, "", ask=lambda _: composed) == read_passphrase(None, "", ask=lambda _: decomposed)
    with pytest.raises(ConfigError, match="empty"):
        read_passphrase(None, "", ask=lambda _: "")


def test_a_new_passphrase_is_typed_twice() -> None:
    typed = iter(["four words of test", "four words of test"])
    assert read_new_passphrase(None, "New: ", ask=lambda _: next(typed)) == b"four words of test"


def test_a_slip_in_a_new_passphrase_is_noticed() -> None:
    typed = iter(["four words of test", "four words of tset"])
    with pytest.raises(ConfigError, match="differ"):
        read_new_passphrase(None, "New: ", ask=lambda _: next(typed))
