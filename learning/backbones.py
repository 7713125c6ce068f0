"""Opens a backbone by its name, by the digest that a lineage names on chain, or by the tensors of a model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from learning.published import ENGLISH_G2, PP_OCR_V6, PUBLISHED, Published
from protocol.errors import LearningError

if TYPE_CHECKING:
    from learning.backbone import Backbone
    from protocol.identifiers import Digest


def make_backbone(name: str, scope: str | None = None) -> Backbone:
    """Opens a backbone; its published weights are loaded once a process, whatever the scopes.

    Args:
        name: ``"english-g2"`` or ``"pp-ocr-v6"``.
        scope: One of ``learning.published``; the backbone's first when None.

    Raises:
        LearningError: There is no such backbone or scope; the weights are missing or not the published ones.
    """
    for published in PUBLISHED:
        if published.name == name:
            return _MAKERS[name](scope or published.default_scope)
    known = ", ".join(published.name for published in PUBLISHED)
    raise LearningError(f"there is no backbone {name!r:.80}", hint=f"there are {known}")


def backbone_of(digest: Digest, scope: str) -> Backbone:
    """Loads the backbone that a lineage names, with the scope that a plan names.

    Raises:
        LearningError: This version does not know the digest or the scope; or as ``make_backbone``.
    """
    for published in PUBLISHED:
        if published.digest == digest:
            return make_backbone(published.name, scope)
    raise LearningError(f"this version knows no backbone {digest}", hint="install the network's version")


def scope_of(tensors: Collection[str]) -> tuple[Published, str]:
    """Which backbone and scope a model belongs to: no two have the same names of tensors.

    Args:
        tensors: The names of all its tensors.

    Raises:
        LearningError: No scope has these tensors.
    """
    for published in PUBLISHED:
        for scope, names in published.scopes.items():
            if set(names) == set(tensors):
                return published, scope
    raise LearningError("the model's tensors are those of no known scope", hint="install the network's version")


class OpenBackbones:
    """Backbones that stay open: each is loaded when it is first asked for."""

    def __init__(self) -> None:
        self._open: dict[tuple[Digest, str], Backbone] = {}

    def of(self, digest: Digest, scope: str) -> Backbone:
        """As ``backbone_of``.

        Raises:
            LearningError: As there.
        """
        key = (digest, scope)
        if key not in self._open:
            self._open[key] = backbone_of(digest, scope)
        return self._open[key]

    def of_model(self, tensors: Collection[str]) -> Backbone:
        """The backbone of a model with these tensors.

        Raises:
            LearningError: No scope has them, or as ``make_backbone``.
        """
        published, scope = scope_of(tensors)
        return self.of(published.digest, scope)


def _english_g2(scope: str) -> Backbone:
    # Imported here: a site that uses one backbone does not wait for the libraries of the other.
    from learning.english_g2 import EnglishG2  # noqa: PLC0415

    return EnglishG2(scope)


def _pp_ocr_v6(scope: str) -> Backbone:
    from learning.ppocr import PPOCRv6  # noqa: PLC0415

    return PPOCRv6(scope)


_MAKERS: Mapping[str, Callable[[str], Backbone]] = {ENGLISH_G2.name: _english_g2, PP_OCR_V6.name: _pp_ocr_v6}
