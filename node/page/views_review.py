"""The queue of pages, and one page with its words boxed and what was read beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from node.data.agreement import doubts
from node.data.explanation_picture import explanation_png
from node.data.review import MAX_LABEL_CHARACTERS, Decision
from node.page.access import Submission, Visitor, submission, visitor
from node.page.forms import Form
from node.page.screens import go_to, show, wants_fragment
from node.page.sentences import fields_of, flag_sentence, readers_sentence
from node.page.store_view import StoredPage, find_page, has_word, pages
from node.store.redacted import redacted_png
from node.store.tables import WordStatus
from node.store.users import Role
from node.store.words import StoredWord, crop_png, find_word, words_of_page
from prescriptions.words import decode_png

router = APIRouter()

Reviewer = Annotated[Visitor, Depends(visitor(Role.REVIEWER))]
_CHOICES = 5


@dataclass(frozen=True, slots=True)
class QueuedPage:
    """A page that waits."""

    page: StoredPage
    words: int
    certainty: float
    """Of its least certain word, 0 to 1."""


@dataclass(frozen=True, slots=True)
class WordCard:
    """A word as the reviewer sees it."""

    word: StoredWord
    choices: tuple[tuple[str, float], ...]
    """Names to pick with the keys 1 to 5, best first."""
    fields: tuple[tuple[str, str], ...]
    flags: tuple[str, ...]
    readers: str
    """Which of the two names the medicine."""

    @property
    def decided(self) -> bool:
        """Whether a person looked at it."""
        return self.word.status is not WordStatus.PROPOSED


@router.get("/pages")
def queue(visitor: Reviewer) -> Response:
    """Pages that wait, the one with the least certain word first."""
    return show(visitor, "queue.html", queue=queue_of(visitor))


@router.get("/doubts")
def doubted(visitor: Reviewer) -> Response:
    """Labels that both readers contradict, the likeliest to be wrong first."""
    return show(visitor, "doubts.html", doubts=doubts(visitor.parts.review.words()))


@router.get("/pages/{page_id}")
def review(visitor: Reviewer, page_id: str) -> Response:
    """One page."""
    page = _page(visitor, page_id)
    with visitor.parts.store.read() as transaction:
        words = words_of_page(transaction, page.page_id)
        stays = redacted_png(transaction, page.page_id) is not None
    cards = [_card(word) for word in sorted(words, key=lambda word: (word.proposal.certainty, word.word_id))]
    following = next((item.page for item in queue_of(visitor) if item.page.page_id != page.page_id), None)
    picture = visitor.office.pictures.of(page)
    if following is not None:
        # Decoding takes a second: the next page is there when this one is done.
        visitor.office.worker.submit(visitor.office.pictures.of, following)
    return show(
        visitor,
        "review.html",
        page=page,
        cards=cards,
        picture=picture,
        stays=stays,
        waiting=sum(not card.decided for card in cards),
        following=following,
        longest=MAX_LABEL_CHARACTERS,
    )


@router.get("/pages/{page_id}/picture")
def picture(visitor: Reviewer, page_id: str) -> Response:
    """The page, as long as its original is kept."""
    found = visitor.office.pictures.of(_page(visitor, page_id))
    if found is None:
        raise HTTPException(404, "the picture of this page was deleted after its review")
    return Response(found.jpeg, media_type="image/jpeg")


@router.get("/pages/{page_id}/redacted")
def redacted(visitor: Reviewer, page_id: str) -> Response:
    """What stays of a page when its original is deleted."""
    page = _page(visitor, page_id)
    with visitor.parts.store.read() as transaction:
        found = redacted_png(transaction, page.page_id)
    if found is None:
        raise HTTPException(404, "no picture of this page was kept")
    return Response(found, media_type="image/png")


@router.get("/words/{word_id}/picture")
def word_picture(visitor: Reviewer, word_id: str) -> Response:
    """A word's crop."""
    key = _id(word_id)
    with visitor.parts.store.read() as transaction:
        crop = crop_png(transaction, key) if has_word(transaction, key) else None
    if crop is None:
        raise HTTPException(404, "there is no picture of this word: it was deleted after the review")
    return Response(crop, media_type="image/png")


@router.get("/words/{word_id}/explanation")
def word_explanation(visitor: Reviewer, word_id: str) -> Response:
    """Where the model in use looks for each letter of a word."""
    key = _id(word_id)
    with visitor.parts.store.read() as transaction:
        crop = crop_png(transaction, key) if has_word(transaction, key) else None
    if crop is None:
        raise HTTPException(404, "there is no picture of this word: it was deleted after the review")
    # On the one worker: two engines at once would take twice the memory.
    found = visitor.office.worker.submit(visitor.parts.explain, decode_png(crop)).result()
    if found is None:
        raise HTTPException(404, "this site holds no model yet: it comes with the first round that the node sees")
    return Response(explanation_png([("", found)]), media_type="image/png")


@router.post("/words/{word_id}")
def decide(submitted: Annotated[Submission, Depends(submission(Role.REVIEWER))], word_id: str) -> Response:
    """Takes what the reviewer says of a word. The review itself names them; the log is a second place."""
    found, form, key = submitted.visitor, submitted.form, _id(word_id)
    with found.parts.store.read() as transaction:
        decision = _decision(find_word(transaction, key.hex()), form)
    found.parts.review.apply([decision], found.user.name, found.parts.now())
    found.note(decision.action, key)
    if wants_fragment(found.request):
        return JSONResponse({"said": decision.action})
    return go_to(f"/pages/{_id(form.text('page')).hex()}")


def _decision(word: StoredWord, form: Form) -> Decision:
    """What stands in the box is accepted; when it is another label than was proposed, that is a correction."""
    key, picked = word.word_id.hex(), form.text("pick")
    if not picked and form.text("action") == "reject":
        return Decision(key, "reject", form.text("reason"))
    label = picked or form.text("label")
    return Decision(key, "accept") if label == word.proposal.label else Decision(key, "fix", label)


def queue_of(visitor: Visitor) -> tuple[QueuedPage, ...]:
    """Pages with words to review, the one with the least certain word first."""
    waiting: dict[bytes, list[float]] = {}
    for word in visitor.parts.review.waiting():
        waiting.setdefault(word.page_id, []).append(word.proposal.certainty)
    with visitor.parts.store.read() as transaction:
        known = pages(transaction)
    found = (QueuedPage(known[key], len(sure), min(sure)) for key, sure in waiting.items() if key in known)
    return tuple(sorted(found, key=lambda item: (item.certainty, item.page.page_id)))


def _card(word: StoredWord) -> WordCard:
    proposal = word.proposal
    names: dict[str, float] = {}
    for candidate in (*(proposal.model.candidates if proposal.model else ()), *proposal.candidates):
        names[candidate.name] = max(candidate.score, names.get(candidate.name, 0.0))
    for other in proposal.others:
        if other.medicine is not None:
            names[other.medicine] = max(other.confidence, names.get(other.medicine, 0.0))
    # The label that Enter accepts is the first, where there is one to accept.
    best = sorted(names.items(), key=lambda item: (item[0] != proposal.label, -item[1]))
    flags = tuple(flag_sentence(flag) for flag in proposal.flags)
    return WordCard(word, tuple(best[:_CHOICES]), fields_of(proposal), flags, readers_sentence(proposal))


def _page(visitor: Visitor, page_id: str) -> StoredPage:
    with visitor.parts.store.read() as transaction:
        page = find_page(transaction, _id(page_id))
    if page is None:
        raise HTTPException(404, "there is no such page here")
    return page


def _id(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 16:
        raise HTTPException(404, "there is no such page here")
    return found
