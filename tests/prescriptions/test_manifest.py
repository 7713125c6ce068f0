import pytest

from prescriptions.manifest import parse_manifest
from protocol.errors import ConfigError


def test_a_manifest_gives_files_and_patients_in_its_order():
    entries = parse_manifest("\ufefffile,patient\nb.png,P002\n\nscans/a.pdf, P001\n")
    assert [(str(entry.file), entry.patient, entry.line) for entry in entries] == [
        ("b.png", "P002", 2), ("scans/a.pdf", "P001", 4)]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1"),
        ("path,patient\n", "line 1"),
        ("file,patient\n", "lists no file"),
        ("file,patient\na.png\n", "line 2: expected file and patient"),
        ("file,patient\na.png,P1,x\n", "line 2"),
        ("file,patient\n../a.png,P1\n", "line 2: the file must be a path below"),
        ("file,patient\n/etc/passwd,P1\n", "line 2"),
        ("file,patient\nx\\a.png,P1\n", "line 2"),
        ("file,patient\na.png,\n", "line 2: the patient"),
        ("file,patient\na.png," + "P" * 65 + "\n", "line 2: the patient"),
        ("file,patient\na.png,P1\na.png,P2\n", "line 3: the file of line 2"),
        ('file,patient\n"a.png,P1\n', "not CSV"),
    ],
)
def test_a_bad_manifest_is_refused_with_its_line(text, says):
    with pytest.raises(ConfigError, match=says):
        parse_manifest(text)
