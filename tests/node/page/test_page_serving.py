"""Where the page listens, its certificate, and its users on the command line."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pyotp
import pytest
import structlog

from gateways.data_folder import DataFolder
from gateways.loopback import is_loopback
from node.page.certificate import CERTIFICATE_FILE, KEY_FILE, VALID_DAYS, fingerprint, make_certificate, names_of
from node.page.memory_file import in_memory
from node.page.serving import binding_of, split_address
from node.settings import PageSettings
from prescriptions.load import load_pages
from protocol.errors import ConfigError
from tests.architecture.tree import ROOT
from tests.node.data.test_data_commands import Shell
from tests.node.data_builders import NOW
from tests.node.page.page_world import PASSWORD, draw_page, scanned


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


def put_certificate(folder: DataFolder, *names: str) -> None:
    own = make_certificate(names, NOW)
    (folder / CERTIFICATE_FILE).write_bytes(own.certificate_pem)
    (folder / KEY_FILE).write_bytes(own.key_pem)


@pytest.mark.parametrize("bind", ["127.0.0.1:8443", "localhost:80", "[::1]:9000", "127.8.8.8:1"])
def test_loopback_needs_no_certificate(folder, bind):
    assert binding_of(bind, PageSettings(), folder).certificate is None


@pytest.mark.parametrize("bind", ["0.0.0.0:8443", "192.168.1.20:8443", "[::]:8443", "clinic.example:8443"])
def test_any_other_address_needs_tls(folder, bind):
    with pytest.raises(ConfigError, match="loopback only"):
        binding_of(bind, PageSettings(), folder)
    put_certificate(folder, "192.168.1.20")
    assert binding_of(bind, PageSettings(), folder).certificate == folder / CERTIFICATE_FILE


@pytest.mark.parametrize("bind", ["", "8443", ":8443", "host:", "host:0", "host:65536", "host:x"])
def test_what_is_no_address_is_refused(bind):
    with pytest.raises(ConfigError, match="no address"):
        split_address(bind)


def test_a_name_that_only_looks_like_loopback_is_none():
    assert not is_loopback("127.0.0.1.example")
    assert not is_loopback("localhost.example")


def test_a_certificate_needs_its_key(folder):
    with pytest.raises(ConfigError, match="goes with its key"):
        binding_of("127.0.0.1:8443", PageSettings(certificate=folder / "c.pem"), folder)


def test_a_made_certificate_is_one_that_tls_takes(folder):
    put_certificate(folder, "clinic.example", "192.168.1.20")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / CERTIFICATE_FILE, folder / KEY_FILE)
    pem = (folder / CERTIFICATE_FILE).read_bytes()
    assert names_of(pem) == ("clinic.example", "192.168.1.20")
    assert fingerprint(pem).count(":") == 31
    assert VALID_DAYS <= 398, "telephones refuse longer ones"


def test_the_page_answers_to_the_names_of_its_certificate_only(folder):
    put_certificate(folder, "Clinic.Example", "192.168.1.20")
    binding = binding_of("0.0.0.0:8443", PageSettings(), folder)
    assert set(binding.hosts) == {"clinic.example", "192.168.1.20", "127.0.0.1", "localhost", "::1"}
    assert binding.url == "https://clinic.example:8443/"


@pytest.mark.parametrize("name", ["", "no name", "https://x", "a..b", "ü.example"])
def test_what_is_no_host_name_gets_no_certificate(name):
    with pytest.raises(ConfigError):
        make_certificate([name], NOW)


def test_a_file_in_memory_is_read_by_its_path_and_is_gone_afterwards():
    with in_memory("page 1.png", b"pixels") as path:
        assert (path.name, path.read_bytes(), path.read_bytes()) == ("page 1.png", b"pixels", b"pixels")
        assert path.is_symlink()
    assert not path.parent.exists()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with structlog.testing.capture_logs() as logs:
        yield Shell(tmp_path)
    assert PASSWORD not in repr(logs)


def add_user(shell: Shell, name: str, *roles: str, command: str = "add") -> pyotp.TOTP:
    """Adds or resets a user; returns what their telephone makes of the QR code."""
    password, picture = shell.folder / "password", shell.folder / "code.png"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    named = [word for role in roles for word in ("--role", role)]
    shell.run("user", command, name, *named, "--password-file", str(password), "--png", str(picture))
    return scanned(picture.read_bytes())


def test_users_are_added_listed_disabled_and_reset(shell):
    first = add_user(shell, "rashid", "reviewer", "operator")
    assert first.issuer == "FedRx dhaka-general staff"
    assert shell.listed("user", "list") == [{"name": "rashid", "roles": ["operator", "reviewer"], "disabled": False}]
    again = shell.refused(
        "user", "add", "rashid", "--role", "reviewer", "--password-file", str(shell.folder / "password")
    )
    assert "already" in str(again)
    shell.run("user", "disable", "rashid")
    assert shell.listed("user", "list")[0]["disabled"] is True
    assert add_user(shell, "rashid", command="reset").secret != first.secret
    assert shell.listed("user", "list")[0]["disabled"] is False
    assert "no user" in str(shell.refused("user", "disable", "nobody"))


def test_a_user_keeps_the_authenticator_that_the_consent_desk_gave_them(shell, tmp_path):
    picture = tmp_path / "staff.png"
    shell.run("staff", "enrol", "sister.akter", "--png", str(picture))
    (tmp_path / "password").touch(mode=0o600)
    (tmp_path / "password").write_text(PASSWORD)
    shown = shell.run(
        "user", "add", "sister.akter", "--role", "consent-officer", "--password-file", str(tmp_path / "password")
    )
    assert "authenticator that they have" in shown.stderr
    assert "▄" not in shown.stdout


@contextmanager
def page_process(shell: Shell, host: str) -> Iterator[str]:
    """The command as an operator runs it, in a process of its own; the address that it answers at over TLS."""
    shell.run("page", "--make-certificate", "--name", host)
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fedrx", "node", "page", "-c", str(shell.folder / "node.toml")]
    with (shell.folder / "page.log").open("wb") as log:
        process = subprocess.Popen([*command, "--bind", f"{host}:{port}"], stderr=log, stdout=log, cwd=ROOT)
        try:
            wait_until_answers(f"https://{host}:{port}", shell, process)
            yield f"https://{host}:{port}"
        finally:
            process.terminate()
            assert process.wait(30) == 0
    assert PASSWORD not in (shell.folder / "page.log").read_text()


def trusting(url: str, shell: Shell) -> httpx.Client:
    """Somebody who trusts the certificate that was made, and no other."""
    context = ssl.create_default_context(cafile=shell.folder / "data" / CERTIFICATE_FILE)
    return httpx.Client(base_url=url, verify=context)


def wait_until_answers(url: str, shell: Shell, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    with trusting(url, shell) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                assert client.get("/login").status_code == 200
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
    raise AssertionError("the page never answered")


def test_the_page_of_a_site_is_served_over_tls_to_a_named_user(shell):
    telephone = add_user(shell, "olga", "operator")
    with page_process(shell, "127.0.0.1") as url, trusting(url, shell) as client:
        fields = {"name": "olga", "password": PASSWORD, "code": telephone.now()}
        answer = client.post("/login", data=fields)
        assert answer.headers["set-cookie"].startswith("__Host-fedrx-session=")
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "max-age" in answer.headers["strict-transport-security"]
        assert "olga" in client.get("/").text
        assert "The chain does not answer" in client.get("/rounds").text


def test_the_fingerprint_that_is_shown_is_the_certificates(shell):
    made = shell.run("page", "--make-certificate").stdout
    pem = (shell.folder / "data" / CERTIFICATE_FILE).read_bytes()
    assert fingerprint(pem) in made.replace("\n", "")


def test_a_page_in_memory_is_decoded_as_one_on_the_disk():
    with in_memory("page.png", draw_page()) as path:
        (page,) = load_pages(path)
    assert page.pixels.shape[:2] == (1400, 1000)
