"""The page's own TLS certificate, and the fingerprint by which a person recognises it on a telephone."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from protocol.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

CERTIFICATE_FILE = "page-certificate.pem"
KEY_FILE = "page-key.pem"
VALID_DAYS = 397
"""Telephones refuse certificates that last longer."""


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate that signs itself."""

    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


def make_certificate(names: Iterable[str], now: int) -> OwnCertificate:
    """A fresh certificate for names and addresses.

    Args:
        names: Host names and IP addresses by which the page is asked for; at least one.
        now: Seconds since 1970.

    Raises:
        ConfigError: No name, or one that is none.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        raise ConfigError("a certificate names a host", hint="give --name, such as the machine's address")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "FedRx site page")])
    began = datetime.fromtimestamp(now, UTC) - timedelta(hours=1)
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in wanted]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return OwnCertificate(
        builder.sign(key, SHA256()).public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def fingerprint(certificate_pem: bytes) -> str:
    """The certificate's SHA-256 as browsers show it: pairs of capital hex digits with colons.

    Raises:
        ConfigError: This is no certificate.
    """
    return _parse(certificate_pem).fingerprint(SHA256()).hex(":").upper()


def names_of(certificate_pem: bytes) -> tuple[str, ...]:
    """The host names and addresses that a certificate is for.

    Raises:
        ConfigError: This is no certificate.
    """
    try:
        found = _parse(certificate_pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*found.get_values_for_type(x509.DNSName), *(str(address) for address in addresses))


def _parse(certificate_pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate_pem)
    except ValueError as error:
        raise ConfigError("the page's certificate is no PEM certificate", hint="see page.certificate") from error


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    if (
        not name.isascii()
        or not name
        or any(not (part and part.replace("-", "").isalnum()) for part in name.split("."))
    ):
        raise ConfigError(f"{name!r} is no host name or address", hint="give --name as browsers will ask for it")
    return x509.DNSName(name)
