"""A site's folder and the real command line, for walking everything that can be wrong with what it is given."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from PIL import Image, ImageDraw, ImageFont

from fedrx.main import main
from gateways.key_ring import KeyRing
from gateways.key_ring.accounts import create_account
from node.site import ACCOUNT_KEY, AUDIT_KEY, WITNESS_PREFIX
from node.store.opening import STORE_KEY as STORE_KEY_NAME
from protocol.deployment import Deployment, encode_deployment
from protocol.identifiers import AccountAddress, Digest
from tests.node.data_builders import CHEAP, IDENTITY, STORE_KEY

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = b"open sesame"
GOVERNOR_KEY = b"\x09" * 32
GOVERNOR = AccountAddress.from_hex(Account.from_key(GOVERNOR_KEY).address)
NOWHERE = "http://127.0.0.1:1"
"""Nothing listens on this port."""
DEPLOYMENT = Deployment(
    chain_id=IDENTITY.chain_id,
    contract_address=IDENTITY.contract_address,
    genesis_block_hash=IDENTITY.genesis_block_hash,
    deployment_block_number=1,
    deployment_block_hash=IDENTITY.deployment_block_hash,
    compiler="0.8.37",
    creation_code_digest=Digest(b"\x01" * 32),
    runtime_code_digest=Digest(b"\x02" * 32),
    governor=GOVERNOR,
    predecessor=None,
)
SETTINGS = f"""site = "dhaka-general"
data_folder = "."
deployment = "deployment.json"
passphrase_file = "passphrase"
lineages = ["english-g2"]
[chain]
rpc_url = "{NOWHERE}"
"""
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "fedrx", *map(str, words)]


def fedrx(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """One command without a terminal, in a process of its own.

    It is forked from one that has imported the command line: to import it again for each would take most of the time.
    """
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload([__name__, "node.commands", "aggregator.commands", "tests.audit.auditor_app"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process = server.Process(target=_run, args=([str(word) for word in words], folder))
        process.start()
        process.join(200)
        assert process.exitcode is not None, words
        out, err = ((folder / file).read_text(errors="replace") for file in ("out", "err"))
    return subprocess.CompletedProcess([*words], process.exitcode, out, err)


def _run(words: list[str], folder: Path) -> None:
    for descriptor, file in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / file, os.O_CREAT | os.O_WRONLY, 0o600), descriptor)
    os.environ.update(ENVIRONMENT)
    sys.argv = ["fedrx", *words]
    main()


def fedrx_anew(*words: str | Path, before: Callable[[], None]) -> subprocess.CompletedProcess[str]:
    """One command from the start of its interpreter; ``before`` runs in its process, to lower a limit."""
    return subprocess.run(
        command(*words),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        stdin=subprocess.DEVNULL,
        env=ENVIRONMENT,
        timeout=200,
        preexec_fn=before,
    )


@dataclass(frozen=True)
class Refusal:
    """A command that must fail with one line."""

    words: Sequence[str | Path]
    exit_code: int
    says: str


def check_refused(done: subprocess.CompletedProcess[str], exit_code: int, says: str) -> None:
    """One line on stderr: what happened and what to do; nothing on stdout, no traceback."""
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == exit_code, (done.args, done.returncode, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error ")]
    assert len(lines) == 1, done.stderr
    assert done.stderr.splitlines()[-1] == lines[0], done.stderr
    assert says in lines[0], lines[0]
    what, _, hint = lines[0].partition(". ")
    assert what, lines[0]
    assert hint, f"no hint: {lines[0]}"


def check_all_refused(refusals: Sequence[Refusal]) -> None:
    """Runs commands that do not disturb each other, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        for refusal, done in zip(refusals, pool.map(lambda refusal: fedrx(*refusal.words), refusals), strict=True):
            check_refused(done, refusal.exit_code, refusal.says)
            assert done.stdout == ""
            assert len(done.stderr.splitlines()) == 1, done.stderr


class SiteFolder:
    """A joined site's data folder, with no chain behind it unless the settings are changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "node.toml"
        self.keystore = folder / "keystore.json"
        self.deployment = folder / "deployment.json"

    @classmethod
    def make(cls, folder: Path) -> SiteFolder:
        folder.mkdir(mode=0o700)
        made = cls(folder)
        made.config.write_text(SETTINGS)
        made.deployment.write_bytes(encode_deployment(DEPLOYMENT))
        write_passphrase(folder / "passphrase", PASSPHRASE)
        key_ring = KeyRing.create(made.keystore, PASSPHRASE, cost=CHEAP)
        key_ring.put(STORE_KEY_NAME, STORE_KEY)
        key_ring.put(AUDIT_KEY, b"\x07" * 32)
        for name in (ACCOUNT_KEY, WITNESS_PREFIX + "nurse"):
            create_account(key_ring, name)
        return made

    def copy(self, name: str) -> SiteFolder:
        """A site like this one, to be damaged."""
        shutil.copytree(self.folder, self.folder.parent / name)
        return SiteFolder(self.folder.parent / name)

    def change(self, old: str, new: str) -> SiteFolder:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))
        return self

    def node(self, *words: str | Path) -> list[str | Path]:
        """The words of a ``fedrx node`` command of this site."""
        return ["node", *words, "--config", self.config]

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return fedrx(*self.node(*words))


def write_passphrase(path: Path, passphrase: bytes, mode: int = 0o600) -> Path:
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_bytes(passphrase)
    return path


def draw_page(path: Path, *lines: str) -> Path:
    """A typed prescription."""
    page = Image.new("L", (900, 160 + 110 * len(lines)), 250)
    draw = ImageDraw.Draw(page)
    for row, text in enumerate(("Green Valley Hospital", *lines)):
        draw.text((60, 50 + 100 * row), text, fill=20, font=ImageFont.load_default(34))
    page.save(path)
    return path


def png_that_claims(width: int, height: int) -> bytes:
    """A well-formed header in front of almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def encrypted_pdf() -> bytes:
    """One page under the standard security handler, which the empty password does not open."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
        b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"4f" * 32, b"55" * 32),
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    identity = b"<00112233445566778899aabbccddeeff>"
    trailer = b"<< /Size 5 /Root 1 0 R /Encrypt 4 0 R /ID [%s %s] >>" % (identity, identity)
    table = b"xref\n0 5\n0000000000 65535 f \n" + table
    return content + table + b"trailer\n" + trailer + b"\nstartxref\n%d\n%%%%EOF\n" % len(content)
