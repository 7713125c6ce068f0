"""The printed part of a page: the hospital, the patient's name, and the labels of private fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_HOSPITAL_WORDS = frozenset(
    {"hospital", "hospitals", "clinic", "clinics", "polyclinic", "medical", "medicare", "healthcare", "infirmary",
     "dispensary", "sanatorium"}
)  # fmt: skip
_PRIVATE_LABELS = frozenset(
    {"age", "sex", "gender", "phone", "tel", "telephone", "mobile", "mob", "cell", "contact", "address", "addr", "date",
     "dob", "id", "reg", "email", "e-mail", "nid", "uhid", "weight", "wt"}
)  # fmt: skip
_NAME_LABELS = frozenset({"name", "patient", "pt", "patients", "patient's"})
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "md", "mst"})
_DOCTORS = frozenset({"dr", "doctor", "prof", "professor", "consultant", "mbbs", "registrar"})
_TITLE_OF_A_DOCTOR = re.compile(r"(?i)\(?(?:dr|doctor|prof|professor)(?![\w'\u2019])")
"""Stands before a doctor's name, also where no space is between (``Dr.Karim``)."""
_MEDICAL_POSTS = frozenset(
    {"officer", "officers", "superintendent", "representative", "director", "assistant", "technologist", "student",
     "advisor", "adviser"}
)  # fmt: skip
"""With ``medical`` before it, what a person is."""
_NO_NAMES = frozenset(
    {"diagnosis", "diagnosed", "dx", "hx", "rx", "complaint", "complaints", "complains", "history", "known", "case",
     "suffering", "fever", "pain", "cough", "diabetic", "diabetes", "hypertension", "hypertensive", "asthma",
     "asthmatic", "cancer", "tuberculosis", "tb", "hiv", "aids", "hepatitis", "hbsag", "positive", "negative",
     "reactive", "pregnant", "pregnancy", "disease", "syndrome", "disorder", "bp", "pulse", "temp", "blood",
     "referred", "ref", "village", "vill", "thana", "upazila", "district", "dist", "road", "rd", "street", "house",
     "flat", "block", "sector", "ward", "bed", "cabin", "father", "mother", "husband", "wife", "guardian", "son",
     "daughter", "occupation", "male", "female", "years", "year", "yrs", "yr", "medical", "hospital", "clinic"}
)  # fmt: skip
"""Words of a finding, an address or a relation: what follows the label is the name only up to them."""
_STREETS = frozenset({"road", "rd", "street", "st", "lane", "avenue", "ave"})
_SITE = re.compile(r"(?i)^www\.|\w\.(?:com|org|net|info|gov|edu|co)\b")
_MAX_NAME_WORDS = 5
_NAME_WORD = re.compile(r"[^\W\d_][^\W\d_'.\-]*\.?(?:[\-'][^\W\d_]+)*\.?")


def is_private(texts: Sequence[str]) -> bool:
    """Whether a line carries a labelled personal field; nothing on it can be a medicine."""
    return any(_is_private_label(text) or _is_name_label(text) for text in texts)


def find_hospital(lines: Sequence[Sequence[str]]) -> str | None:
    """The name in the first line that names a hospital or clinic and holds no number; None without one.

    It ends where something else begins: an e-mail address, a doctor's title or a label. ``Hospital Road`` is none, and
    neither is a person: what follows a doctor's title, or stands before ``Medical Officer`` and the like.
    """
    for texts in lines:
        if any(character.isdigit() for text in texts for character in text):
            continue
        for stretch in _names_between(texts):
            words = [_plain(text) for text in stretch]
            if _HOSPITAL_WORDS & set(words) and words[-1] not in _STREETS:
                return " ".join(stretch).strip(" ,;-") or None
    return None


def _names_between(texts: Sequence[str]) -> list[list[str]]:
    """The stretches of a line that are words of names and nothing else, without the names of persons."""
    stretch: list[str] = []
    stretches = [stretch]
    for text in texts:
        ends = text.endswith(":") or _plain(text) in _DOCTORS or _is_private_label(text)
        if _TITLE_OF_A_DOCTOR.match(text):
            stretch = []
        elif stretch and _plain(stretch[-1]) == "medical" and _plain(text) in _MEDICAL_POSTS:
            before = stretch[:-1]
            stretch[:] = before if _HOSPITAL_WORDS & {_plain(word) for word in before} else []
            stretch = []
            stretches.append(stretch)
        elif ends or "@" in text or _SITE.search(text):
            stretch = []
            stretches.append(stretch)
        else:
            stretch.append(text)
    return stretches


def find_patient_name(lines: Sequence[Sequence[str]]) -> str | None:
    """The words after the label ``Name`` or ``Patient``, up to the next label; None without a label."""
    for texts in lines:
        for position, text in enumerate(texts):
            if not _is_name_label(text):
                continue
            name = _name_after([_rest_of_label(text), *texts[position + 1 :]])
            if name:
                return name
    return None


def _name_after(texts: Sequence[str]) -> str | None:
    kept: list[str] = []
    for text in texts:
        if _is_private_label(text) or len(kept) == _MAX_NAME_WORDS:
            break
        if not text or _plain(text) in _NAME_LABELS or (not kept and text == ":"):
            continue
        if not _NAME_WORD.fullmatch(text.strip(" ,:")) or _is_no_name(text):
            break
        kept.append(text.strip(" ,:")[0].upper() + text.strip(" ,:")[1:])
    real = [word for word in kept if _plain(word) not in _TITLES]
    return " ".join(kept) if real else None


def _is_no_name(text: str) -> bool:
    return bool(_TITLE_OF_A_DOCTOR.match(text) or _NO_NAMES & set(re.split(r"[\W_]+", text.lower())))


def _is_name_label(text: str) -> bool:
    head, colon, _ = text.partition(":")
    return _plain(head) in _NAME_LABELS and (bool(colon) or text.istitle() or text.isupper())


def _rest_of_label(text: str) -> str:
    return text.partition(":")[2]


def _is_private_label(text: str) -> bool:
    head, colon, _ = text.partition(":")
    plain = _plain(head)
    return plain in _PRIVATE_LABELS and (bool(colon) or text[:1].isupper())


def _plain(text: str) -> str:
    return text.strip(" .,:;()").lower()
