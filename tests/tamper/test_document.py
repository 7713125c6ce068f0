"""docs/tamper-catalogue.md says what the tests run."""

from __future__ import annotations

from tests.tamper.catalogue import DOCUMENT, MUTATIONS, document, load


def test_the_document_holds_the_catalogue() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run python -m tests.tamper.catalogue"


def test_the_catalogue_is_long_enough_and_every_command_has_its_share() -> None:
    load()
    assert len(MUTATIONS) >= 60
    assert len({mutation.command for mutation in MUTATIONS}) == 11
    assert all(mutation.kind and mutation.who for mutation in MUTATIONS)
