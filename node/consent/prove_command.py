"""``fedrx node prove …``: what the site hands to an auditor who asks about one sample."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateways.chain_follower import ChainFollower
from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, Config, talk
from node.consent.proving import Prover
from node.keys.documents import all_key_documents
from node.site import AUDIT_KEY, open_site
from protocol.identifiers import RoundId, lineage_id_of
from protocol.sample_proof import Absence, encode_sample_proof
from protocol.site_audit_key import SiteAuditKey, encode_site_audit_key

prove_app = typer.Typer(no_args_is_help=True, help="Shows an auditor what was in an update, and under which consent.")

Output = Annotated[Path, typer.Option("--out", "-o", help="Write it here, mode 0600.")]


@prove_app.command("sample")
def prove_sample(
    word: Annotated[str, typer.Argument(help="The word's id as listed; all 32 digits once its patient was erased.")],
    round_number: Annotated[int, typer.Option("--round", min=1, help="The round.")],
    output: Output,
    lineage: Annotated[str | None, typer.Option(help="Its lineage; the first in the settings.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes a proof that a sample was, or was not, in this site's update of a round: the command finds out which."""
    with open_site(config) as site:
        history = ChainFollower(site.chain_reader).sync()
        prover = Prover(site.site_id, site.store, site.journal, site.key_ring.get(AUDIT_KEY), history)
        proof = prover.prove(word, RoundId(lineage_id_of(lineage or site.settings.lineages[0]), round_number))
    write_atomically(output, encode_sample_proof(proof))
    if isinstance(proof.evidence, Absence):
        talk.print(f"the sample was not in the update of round {round_number}; {output} shows it", soft_wrap=True)
        return
    talk.print(f"the sample was in the update of round {round_number}; {output} shows it", soft_wrap=True)
    if proof.evidence.opening is None:
        talk.print("its salt was shredded with its patient: no consent receipt can be shown", soft_wrap=True)
    else:
        talk.print("the file holds the patient's consent receipt in the clear", soft_wrap=True)


@prove_app.command("audit-key")
def export_audit_key(output: Output, config: Config = DEFAULT_CONFIG) -> None:
    """Writes the site's audit key for an auditor.

    With it and an id, anyone finds the leaf of a sample below every root that this site ever published.
    """
    with open_site(config) as site:
        key = SiteAuditKey(site.key_ring.get(AUDIT_KEY), all_key_documents(site.folder))
    write_atomically(output, encode_site_audit_key(key))
    talk.print(f"{output} is a secret: hand it over as you would a password", markup=False, soft_wrap=True)
