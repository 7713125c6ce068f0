"""The secrets of one process in one encrypted file."""

from gateways.key_ring.keystore import KeyRing
from gateways.key_ring.passphrase import read_new_passphrase, read_passphrase

__all__ = ["KeyRing", "read_new_passphrase", "read_passphrase"]
