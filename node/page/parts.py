"""What the page works with, opened from a site. It never opens the chain with the site's key."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from gateways.chain_follower import ChainFollower
from gateways.key_ring.sealing import Argon2Cost
from node.command_options import FEATURES, originals_of, quarantine_of
from node.consent.desk import witness_key
from node.consent.erasure import erase_for_good
from node.consent.inspection import desk_of
from node.data.explanation import read_and_explain
from node.data.intake_parts import intake_parts, load_limits
from node.data.model_reader import SecondReader
from node.data.reading import explain_image
from node.data.review import ReviewDesk
from node.keys.rotation import require_listed
from node.page.chain_view import ChainView
from node.page.memory_file import in_memory
from node.site import models_of
from protocol.identifiers import lineage_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from gateways.journal import Journal
    from node.consent.desk import ConsentDesk, Erasure
    from node.data.explanation import Explanation
    from node.data.intake import IntakeParts
    from node.data.reading import ExplainedReading
    from node.rounds.global_models import GlobalModels
    from node.settings import NodeSettings
    from node.site import Site
    from node.store.local_store import LocalStore
    from node.store.sealed_files import SealedFiles
    from prescriptions.lexicon import Lexicon
    from prescriptions.load import LoadLimits
    from protocol.identifiers import LineageId, SiteId


@dataclass(frozen=True, slots=True)
class PageParts:
    """One site, opened for the page."""

    settings: NodeSettings
    site_id: SiteId
    lineages: Mapping[LineageId, str]
    store: LocalStore
    journal: Journal
    originals: SealedFiles
    quarantine: SealedFiles
    models: GlobalModels
    review: ReviewDesk
    consent: ConsentDesk
    limits: LoadLimits
    chain: ChainView
    has_witness: Callable[[str], bool]
    """Whether a staff member has a key to sign receipts with."""
    require_witness: Callable[[str], None]
    """Raises an error of the tree for a witness whose signature no auditor could place."""
    erase: Callable[[str, int], Erasure]
    """Forgets a patient for good: the site's own identifier, and seconds since 1970."""
    intake: Callable[[bool], IntakeParts]
    """The parts of an import; whether each picture is one medicine word. The engine loads at the first import."""
    lexicon: Callable[[], Lexicon]
    """The medicines that may be named. They load at the first call."""
    read: Callable[[str, bytes, bool], tuple[ExplainedReading, ...]]
    """Reads a file with the model in use: its name, its bytes, and whether it is one medicine word."""
    explain: Callable[[NDArray[np.uint8]], Explanation | None]
    """Where the model in use looks in a crop, grey uint8 [rows, columns]; None while the site holds no model."""
    password_cost: Argon2Cost = Argon2Cost()  # noqa: RUF009 - frozen
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock())


def parts_of(site: Site) -> PageParts:
    """The parts of an open site.

    Raises:
        ConfigError: The site has not joined a network, or the page reader is not installed.
        KeyRingError: The keystore does not open.
        StoreError: The store does not open.
    """
    models, desk = models_of(site), desk_of(site)
    originals, quarantine = originals_of(site), quarantine_of(site)

    def read(name: str, content: bytes, as_word: bool) -> tuple[ExplainedReading, ...]:
        with in_memory(name, content) as path:
            return explain_image(site, models, path, lineage_id_of(site.settings.lineages[0]), as_word=as_word)

    second = SecondReader(site, models)

    def explain(crop: NDArray[np.uint8]) -> Explanation | None:
        model = second()
        return None if model is None else read_and_explain(model, [crop])[0][1]

    return PageParts(
        settings=site.settings,
        site_id=site.site_id,
        lineages=site.lineage_ids,
        store=site.store,
        journal=site.journal,
        originals=originals,
        quarantine=quarantine,
        models=models,
        review=ReviewDesk(site.store, originals, keep_originals=site.settings.reading.keep_originals),
        consent=desk,
        limits=load_limits(site.settings),
        chain=ChainView(lambda: ChainFollower(site.chain_reader), time.monotonic),
        has_witness=lambda name: witness_key(name) in site.key_ring.names(),
        require_witness=partial(require_listed, site),
        erase=partial(
            erase_for_good, desk, originals=originals, quarantine=quarantine, features=site.folder / FEATURES
        ),
        intake=lambda single_words: intake_parts(site, single_words=single_words),
        lexicon=lambda: site.lexicon,
        read=read,
        explain=explain,
    )
