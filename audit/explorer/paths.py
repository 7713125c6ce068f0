"""Where each thing has its screen and its proof."""

from __future__ import annotations

from urllib.parse import urlencode

from protocol.identifiers import Digest, LineageId, SiteId, TxHash


def lineage_path(lineage_id: LineageId, **asked: int | str) -> str:
    """All rounds of a lineage."""
    return f"/?{urlencode({'lineage': str(lineage_id), **asked})}"


def round_path(lineage_id: LineageId, number: int) -> str:
    """One round."""
    return f"/round/{lineage_id}/{number}"


def site_path(site_id: SiteId) -> str:
    """One site."""
    return f"/site/{site_id}"


def model_path(digest: Digest) -> str:
    """One model."""
    return f"/model/{digest}"


def consent_path(root: Digest) -> str:
    """One consent root."""
    return f"/consent/{root}"


def tx_path(tx_hash: TxHash) -> str:
    """One transaction."""
    return f"/tx/{tx_hash}"


def verdict_proof_path(lineage_id: LineageId, number: int, site_id: SiteId, block: int) -> str:
    """The proof of what became of a site's update."""
    return f"/proof/verdict/{lineage_id}/{number}/{site_id}?block={block}"


ALL = {path.__name__: path for path in
       (lineage_path, round_path, site_path, model_path, consent_path, tx_path, verdict_proof_path)}  # fmt: skip
"""For templates."""
