from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.data.other_readings import OtherReading
from node.data.proposal import Candidate, Proposal, Whereabouts, encode_proposal, nfc, parse_proposal
from node.store.local_store import LocalStore, check_patient
from node.store.pages import known_files
from node.store.sealing import Place, SealingKey
from node.store.words import crop_png
from protocol.canonical_json import encode, parse
from protocol.errors import ConfigError, StoreError
from tests.node.data_builders import STORE_KEY, Clinic, crop_of, proposal_of

PLACE = Place("words", "sealed_crop", b"row")


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "site")


def test_nothing_that_says_who_a_patient_is_stands_in_clear_in_the_data_folder(clinic: Clinic) -> None:
    clinic.add_words("PAT-0001-SECRET", "Amoxicillin", "Paracetamol")
    clinic.accept_all()
    clinic.add_words("PAT-0001-SECRET", "Omeprazole", page="second-page")
    clinic.grant("PAT-0001-SECRET")
    on_disk = clinic.everything_on_disk()
    assert len(on_disk) > 10_000
    for secret in (
        b"PAT-0001", b"Salma", b"Khatun", b"Popular", b"Amoxicillin", b"Omeprazole", b"second-page", b"500 mg",
        b"dr-khan", b"Dr Khan", b"\x89PNG", b"IHDR", b"%PDF", b"DUO:", crop_of("Amoxicillin")[50:90], STORE_KEY,
    ):  # fmt: skip
        assert secret.lower() not in on_disk.lower(), secret


def test_the_grep_of_the_data_folder_would_find_what_is_stored_in_clear(clinic: Clinic) -> None:
    connection = sqlite3.connect(clinic.folder / "store.sqlite")
    connection.execute("UPDATE store_info SET value = CAST('PAT-0001-SECRET' AS BLOB)")
    connection.commit()
    connection.close()
    assert b"PAT-0001" in clinic.everything_on_disk()


def test_a_store_opened_with_another_key_says_that_it_belongs_to_another_keystore(clinic: Clinic) -> None:
    with pytest.raises(StoreError, match="does not belong to this keystore"):
        LocalStore(clinic.folder / "store.sqlite", bytes(32))


def test_a_store_key_of_another_length_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="32 bytes"):
        LocalStore(tmp_path / "store.sqlite", b"short")


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"not a database, not at all, nothing of the kind" * 100)
    with pytest.raises(StoreError, match="not a database"):
        LocalStore(path, STORE_KEY)


def test_the_store_and_its_logs_are_readable_by_their_owner_only(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    for path in clinic.folder.rglob("*"):
        if path.is_file() and not path.name.endswith(".lock"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_sealed_value_moved_to_another_row_does_not_open(clinic: Clinic) -> None:
    first, second = clinic.add_words("P001", "Napa", "Seclo")
    connection = sqlite3.connect(clinic.folder / "store.sqlite")
    sealed = connection.execute("SELECT sealed_crop FROM words WHERE id = ?", (first,)).fetchone()[0]
    connection.execute("UPDATE words SET sealed_crop = ? WHERE id = ?", (sealed, second))
    connection.commit()
    connection.close()
    with clinic.store.read() as transaction:
        assert crop_png(transaction, first) == crop_of("Napa")
        with pytest.raises(StoreError, match=r"words\.sealed_crop"):
            crop_png(transaction, second)


def test_a_failed_transaction_leaves_nothing(clinic: Clinic) -> None:
    def fail() -> None:
        with clinic.store.write() as transaction:
            transaction.ensure_patient("P001")
            raise ConfigError("something went wrong")

    with pytest.raises(ConfigError):
        fail()
    with clinic.store.read() as transaction:
        assert transaction.find_patient("P001") is None


def test_a_reader_sees_one_moment_while_another_process_writes(clinic: Clinic) -> None:
    with clinic.store.read() as transaction:
        assert transaction.find_patient("P777") is None
        _in_another_process(clinic.folder, "with store.write() as t: t.ensure_patient('P777')")
        assert transaction.find_patient("P777") is None
    with clinic.store.read() as transaction:
        assert transaction.find_patient("P777") is not None


def test_two_processes_that_add_the_same_patients_share_one_row_for_each(clinic: Clinic) -> None:
    line = "for n in range(60):\n    with store.write() as t: t.ensure_patient(f'P{n:03d}')"
    processes = [_start(clinic.folder, line) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    connection = sqlite3.connect(clinic.folder / "store.sqlite")
    assert connection.execute("SELECT COUNT(*) FROM patients").fetchone() == (60,)
    connection.close()


def test_a_process_killed_in_a_transaction_leaves_nothing_of_it(clinic: Clinic) -> None:
    code = (
        "with store.write() as t:\n    t.ensure_patient('P001')\n"
        "try:\n    with store.write() as t:\n        t.ensure_patient('P002')\n"
        "        import os, signal; os.kill(os.getpid(), signal.SIGKILL)\nfinally: pass"
    )
    assert _start(clinic.folder, code).wait(60) == -9
    with clinic.store.read() as transaction:
        assert transaction.find_patient("P001") is not None
        assert transaction.find_patient("P002") is None


def test_a_sealed_file_opens_with_its_own_key_only(clinic: Clinic) -> None:
    key = SealingKey.generate()
    clinic.originals.write(b"\x01" * 16, key, b"a page")
    assert clinic.originals.read(b"\x01" * 16, key) == b"a page"
    with pytest.raises(StoreError, match="does not open"):
        clinic.originals.read(b"\x01" * 16, SealingKey.generate())


def test_a_sweep_removes_files_without_a_key_and_keeps_the_others(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    kept = clinic.files()
    clinic.originals.write(b"\x01" * 16, SealingKey.generate(), b"whose key was never stored")
    with clinic.store.read() as transaction:
        originals, _ = known_files(transaction)
    assert clinic.originals.sweep(lambda: originals) == 1
    assert clinic.files() == kept


@pytest.mark.parametrize("text", ["", "   ", "P\x00", "P\n1", "x" * 65])
def test_an_identifier_that_nobody_can_type_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="identifier"):
        check_patient(text)


def test_two_spellings_of_the_same_identifier_are_one_patient() -> None:
    assert check_patient(" Rene\u0301 ") == check_patient("Ren\u00e9")


def test_a_key_does_not_show_itself() -> None:
    key = SealingKey(b"\xab" * 32)
    assert "ab" * 4 not in repr(key)
    assert "\\xab" not in repr(key)


@given(value=st.binary(max_size=200), flipped=st.integers(0, 10_000))
def test_a_flipped_bit_anywhere_in_a_sealed_value_is_found(value: bytes, flipped: int) -> None:
    key = SealingKey(b"\x07" * 32)
    sealed = bytearray(key.seal(value, PLACE))
    assert key.open(bytes(sealed), PLACE) == value
    sealed[flipped % len(sealed)] ^= 1 << (flipped % 8)
    with pytest.raises(StoreError, match="does not open"):
        key.open(bytes(sealed), PLACE)


@given(length=st.integers(0, 11))
def test_a_sealed_value_that_is_cut_short_is_found(length: int) -> None:
    with pytest.raises(StoreError, match="does not open"):
        SealingKey(b"\x07" * 32).open(bytes(length), PLACE)


TEXTS = st.text(max_size=12)
SHARES = st.integers(0, 10_000).map(lambda n: n / 10_000)


@given(
    text=TEXTS,
    confidence=SHARES,
    candidates=st.lists(st.tuples(TEXTS, SHARES), max_size=3),
    flags=st.lists(TEXTS, max_size=2),
    others=st.lists(st.tuples(TEXTS, st.none() | TEXTS, SHARES), max_size=2),
)
def test_a_proposal_comes_back_as_it_was_stored(
    text: str,
    confidence: float,
    candidates: list[tuple[str, float]],
    flags: list[str],
    others: list[tuple[str, str | None, float]],
) -> None:
    proposal = Proposal(
        nfc(text),
        confidence,
        tuple(Candidate(nfc(name), score) for name, score in candidates),
        "5 mg",
        "",
        "bd",
        tuple(map(nfc, flags)),
        Whereabouts("page.png", 1, (1, 2, 3, 4)),
        others=tuple(
            OtherReading("second", 3, None if name is None else nfc(name), share, nfc(letters))
            for letters, name, share in others
        ),
    )
    assert parse_proposal(encode_proposal(proposal)) == proposal


def test_a_proposal_from_before_other_models_were_asked_is_read() -> None:
    proposal = proposal_of("Napa")
    value = parse(encode_proposal(proposal))
    assert isinstance(value, dict)
    del value["others"]
    assert parse_proposal(encode(value)) == proposal


def _start(folder: Path, code: str) -> subprocess.Popen[bytes]:
    prelude = (
        "from pathlib import Path\nfrom node.store.local_store import LocalStore\n"
        f"store = LocalStore(Path({str(folder / 'store.sqlite')!r}), bytes(range(32)))\n"
    )
    return subprocess.Popen([sys.executable, "-c", prelude + code], cwd=Path(__file__).parents[3])


def _in_another_process(folder: Path, code: str) -> None:
    assert _start(folder, code).wait(60) == 0
