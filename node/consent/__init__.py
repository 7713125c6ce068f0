"""The consent desk: grants, second factors, withdrawals, roots, proofs, prints."""
