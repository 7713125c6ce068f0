"""The auditor's commands: what each is called, where it is, and what the list of commands says of it.

A table, so that only the command that was called is imported: most load for a second or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "replay": (
            "audit.replay_command:replay_command",
            "Recompute every verdict and every global model from event logs and IPFS alone.",
        ),
        "trail": (
            "audit.trail_commands:trail_command",
            "Show what happened, in plain sentences; also in the deployments that this one goes on from.",
        ),
        "show": (
            "audit.show_command:show_command",
            "Explain one round (--round, --lineage), model (--model), site (--site) or consent root (--consent-root).",
        ),
        "diff": (
            "audit.diff_command:diff_command",
            "Tell what changed between two rounds or models, or where two endpoints' chains part (--other-rpc).",
        ),
        "watch": ("audit.trail_commands:watch_command", "Show what happens from now on, until Ctrl-C."),
        "export": (
            "audit.trail_commands:export_command",
            "Write the trail to a file: CSV or JSON lines, by the file's ending.",
        ),
        "explorer": (
            "audit.explorer_command:explorer_command",
            "Show rounds, sites, models, consent, gas and proofs in a browser on this machine, until Ctrl-C.",
        ),
        "check-index": (
            "audit.index_command:check_index_command",
            "Compare an index with the chain, event by event, and name the first that is not the same.",
        ),
        "checkpoint": (
            "audit.checkpoint_commands:checkpoint_command",
            "Write a block's number and hash, to keep and to compare; with --cosigned, under the signatures of sites.",
        ),
        "cosigners": (
            "audit.checkpoint_commands:cosigners_command",
            "Write the accounts that sign for the sites: a file to make once, to compare with the sites, and to keep.",
        ),
        "validators": (
            "audit.checkpoint_commands:validators_command",
            "Write the validators of a QBFT or IBFT 2.0 chain: a file to compare with the operators, and to keep.",
        ),
        "prove": (
            "audit.proof_commands:prove_command",
            "Write a file that proves something to whoever trusts one later block, without any network.",
        ),
        "bundle": (
            "audit.bundle_commands:bundle_command",
            "Write one file with all that is needed to verify some rounds on a machine without a network.",
        ),
        "verify": (
            "audit.verify_command:verify_command",
            "Check a proof or a bundle with nothing but a trusted block, or trusted validators: no network is used.",
        ),
        "report": (
            "audit.report_command:report_command",
            "Write a report of rounds, consents, refusals and lineage: --ipfs replays, --auditor-key signs.",
        ),
        "report-check": (
            "audit.report_command:report_check_command",
            "Check that an auditor of this deployment signed a report, and that it was not changed since.",
        ),
        "availability": (
            "audit.availability_command:availability_command",
            "Show which IPFS endpoint holds each content that the chain names.",
        ),
        "site": (
            "audit.site_command:site_command",
            "Check a site's proof that a sample was, or was not, in an update, and under which consent receipt.",
        ),
        "keygen": (
            "audit.key_commands:keygen_command",
            "Make the auditor's key of the next epoch, and on first use the keystore and the account.",
        ),
        "passphrase": ("audit.key_commands:passphrase_command", "Change the passphrase of the auditor's keystore."),
    }
)
"""By name: module and function, and the first line of its own help."""
