"""A site's proof about a sample stands on proven events: no chain is asked, and what was changed does not stand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from audit.names import Names
from audit.proofs.choosing import of_sample
from audit.proofs.proof_file import ProvenLog, encode_proof_file
from audit.proofs.proven_sample import (
    ProvenSample,
    begins_like_a_proven_sample,
    check_proven_sample,
    encode_proven_sample,
    parse_proven_sample,
)
from audit.proofs.proving import prove_events
from audit.site_proof import SiteFinding
from protocol import ledger_events as ev
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.identifiers import RoundId
from tests.audit.paper_chain import PaperChain, paper_chain
from tests.audit.stage import logs_of
from tests.audit.test_site_proof import Stage
from tests.protocol.builders import IDENTITY

Events = tuple[ProvenLog, ...]
NAMES = Names(["site-0", "tests"])


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("network") / "site")
    yield made
    made.journal.close()


def joined(stage: Stage, sample: bytes) -> tuple[ProvenSample, PaperChain]:
    events, proof = logs_of(stage.network), stage.prove(sample)
    chain = paper_chain(events, IDENTITY)
    made = ProvenSample(prove_events(of_sample(events, proof), chain.checkpoint, chain), proof)
    assert parse_proven_sample(encode_proven_sample(made)) == made
    return made, chain


def checked(stage: Stage, sample: bytes) -> SiteFinding:
    made, chain = joined(stage, sample)
    return check_proven_sample(made, stage.key, chain.checkpoint, NAMES)


def test_what_the_chain_shows_of_a_sample_its_proven_events_show_too(stage: Stage) -> None:
    for sample in (stage.napa, stage.ace, stage.outside):
        found = checked(stage, sample)
        assert found == stage.check(stage.prove(sample))
        assert found.differences == ()
    assert "given by the patient" in "\n".join(checked(stage, stage.napa).shown)


def with_events(change: Callable[[Events], Events]) -> Callable[[ProvenSample], ProvenSample]:
    return lambda made: dataclasses.replace(
        made, events=dataclasses.replace(made.events, events=change(made.events.events))
    )


CHANGES: dict[str, tuple[str, Callable[[ProvenSample], ProvenSample]]] = {
    "two events swapped": ("not in chain order", with_events(lambda x: (x[1], x[0], *x[2:]))),
    "an event twice": ("not in chain order", with_events(lambda x: (x[0], *x))),
    "an event without its proof": (
        "fails at the step receipt", with_events(lambda x: (dataclasses.replace(x[0], nodes=()), *x[1:]))
    ),
    "no admission": ("not those of the sample's update", with_events(lambda x: x[1:])),
    "no registration of the site": ("not those of the sample's update", with_events(lambda x: (*x[:-4], *x[-3:]))),
    "no events": ("fails at the step log", with_events(lambda _: ())),
    "another round": (
        "not those of the sample's update",
        lambda made: dataclasses.replace(
            made, sample=dataclasses.replace(made.sample, round_id=RoundId(made.sample.round_id.lineage_id, 2))
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_events_that_do_not_bear_the_sample_are_named(stage: Stage, name: str) -> None:
    said, change = CHANGES[name]
    made, chain = joined(stage, stage.napa)
    changed = change(made)
    assert changed != made
    with pytest.raises(AuditError, match=said):
        check_proven_sample(changed, stage.key, chain.checkpoint, NAMES)


def test_a_consent_root_that_was_left_out_is_a_difference(stage: Stage) -> None:
    made, chain = joined(stage, stage.napa)
    roots = [
        place
        for place, located in enumerate(of_sample(logs_of(stage.network), made.sample))
        if isinstance(located.event, ev.ConsentRootPublished)
    ]
    changed = with_events(lambda x: (*x[: roots[0]], *x[roots[0] + 1 :]))(made)
    found = check_proven_sample(changed, stage.key, chain.checkpoint, NAMES)
    assert "never published" in found.differences[0]


def test_another_checkpoint_proves_nothing(stage: Stage) -> None:
    made, chain = joined(stage, stage.napa)
    later = dataclasses.replace(chain.checkpoint, number=chain.checkpoint.number + 1)
    with pytest.raises(AuditError, match="at the step checkpoint"):
        check_proven_sample(made, stage.key, later, NAMES)


def test_a_joined_file_has_one_spelling(stage: Stage) -> None:
    made, _ = joined(stage, stage.napa)
    data = encode_proven_sample(made)
    assert begins_like_a_proven_sample(data)
    assert not begins_like_a_proven_sample(encode_proof_file(made.events))
    for old, new in [(b"sample/1", b"sample/2"), (b'"events":{', b'"events": {'), (b'"format"', b'"former"')]:
        assert old in data
        with pytest.raises(MalformedError):
            parse_proven_sample(data.replace(old, new, 1))


def test_a_sample_of_no_update_cannot_be_proven(stage: Stage) -> None:
    proof = stage.prove(stage.napa)
    nowhere = dataclasses.replace(proof, round_id=RoundId(proof.round_id.lineage_id, 9))
    with pytest.raises(ConfigError, match="knows no round 9"):
        of_sample(logs_of(stage.network), nowhere)


def test_a_withdrawal_after_the_update_is_proven_with_it(stage: Stage) -> None:
    before = len(joined(stage, stage.napa)[0].events.events)
    stage.network.withdraw(stage.site)
    assert len(joined(stage, stage.napa)[0].events.events) == before + 1
    assert checked(stage, stage.napa).differences == ()
