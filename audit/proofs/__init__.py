"""Proofs that need no network: an event, its receipt, its block, and the blocks up to one that the reader trusts."""
