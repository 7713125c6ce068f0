"""Builds the bundled lexicons from Drugs@FDA's products table and DrugBank's open vocabulary.

    python scripts/build_lexicon.py --products products.csv --vocabulary drugbank_vocabulary.csv \
        --out prescriptions/lexicons

Writes ``drugsfda.csv`` (every single-word name that is sold in a common form) and ``demo.csv`` (the 120
substances and 80 brands with the most products, no two of them fewer than three letters apart). The same inputs give
the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from prescriptions.lexicon import HEADER, parse_lexicon
from prescriptions.strength import Strength, parse_strength

_NAME = re.compile(r"[A-Za-z]{4,14}")
_DEMO_SUBSTANCES = 120
_DEMO_BRANDS = 80
_DEMO_MIN_DISTANCE = 3
_MAX_STRENGTHS = 12
_FORMS = (  # the first pattern found in "FORM;ROUTE" decides
    (r"FOR SUSPENSION|^SUSPENSION.*ORAL|GRANULE", "suspension"),
    (r"SUPPOSITORY", "suppository"),
    (r"DROPS", "drops"),
    (r"AEROSOL, METERED|INHALATION", "inhaler"),
    (r"SPRAY|AEROSOL", "spray"),
    (r"TRANSDERMAL|PATCH", "patch"),
    (r"^TABLET|TROCHE", "tablet"),
    (r"^CAPSULE", "capsule"),
    (r"^SYRUP|^ELIXIR", "syrup"),
    (r"^CREAM", "cream"),
    (r"^OINTMENT", "ointment"),
    (r"^GEL|^JELLY", "gel"),
    (r"^LOTION", "lotion"),
    (r"INJECT|INTRAVENOUS|INTRAMUSCULAR|SUBCUTANEOUS|IV \(INFUSION\)", "injection"),
    (r"^POWDER", "powder"),
    (r"^(FOR )?SOLUTION|^CONCENTRATE", "solution"),
)
_ROUTES = ("oral", "sublingual", "topical", "ophthalmic", "otic", "nasal", "inhalation", "rectal", "vaginal",
           "transdermal", "injection", "intravenous", "intramuscular", "subcutaneous")  # fmt: skip
_SALTS = frozenset(
    {"hydrochloride", "sodium", "potassium", "calcium", "magnesium", "sulfate", "tartrate", "succinate", "maleate",
     "fumarate", "mesylate", "besylate", "citrate", "phosphate", "acetate", "hydrobromide", "bromide", "chloride",
     "nitrate", "disodium", "hyclate", "monohydrate", "trihydrate", "dihydrate", "anhydrous", "hemihydrate",
     "bitartrate", "tosylate", "lactate", "gluconate", "palmitate", "propionate", "valerate", "furoate",
     "dipropionate", "pamoate", "stearate", "estolate", "ethylsuccinate", "benzoate", "carbonate", "medoxomil",
     "axetil", "proxetil", "cilexetil", "disoproxil", "etexilate", "mofetil", "oxide", "hydroxide", "iodide",
     "malate", "tromethamine", "arginine", "olamine", "erbumine"}
)  # fmt: skip
# Names of other countries for the same substance. Each pair is checked against DrugBank's vocabulary.
_SYNONYMS = {
    "acetaminophen": "paracetamol",
    "albuterol": "salbutamol",
    "epinephrine": "adrenaline",
    "norepinephrine": "noradrenaline",
    "furosemide": "frusemide",
    "glyburide": "glibenclamide",
    "meperidine": "pethidine",
    "isoproterenol": "isoprenaline",
    "rifampin": "rifampicin",
    "cephalexin": "cefalexin",
    "acyclovir": "aciclovir",
    "cyclosporine": "ciclosporin",
    "metaproterenol": "orciprenaline",
    "levothyroxine": "thyroxine",
    "dicyclomine": "dicycloverine",
    "beclomethasone": "beclometasone",
    "sulfasalazine": "sulphasalazine",
    "estradiol": "oestradiol",
    "torsemide": "torasemide",
    "leucovorin": "folinic acid",
    "mesalamine": "mesalazine",
    "chlorpheniramine": "chlorphenamine",
    "trihexyphenidyl": "benzhexol",
    "methimazole": "thiamazole",
    "bendroflumethiazide": "bendrofluazide",
}


@dataclass
class _Entry:
    """A name while its products are gathered."""

    ingredients: dict[tuple[str, ...], int] = field(default_factory=lambda: defaultdict(int))
    strengths: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    forms: set[str] = field(default_factory=set)
    routes: set[str] = field(default_factory=set)
    products: int = 0

    def generics(self) -> tuple[str, ...]:
        """The active ingredients of most of its products; of as many, the fewer."""
        return min(self.ingredients, key=lambda found: (-self.ingredients[found], len(found), found), default=())

    def row(self, name: str, synonyms: dict[str, str]) -> list[str]:
        often = sorted(self.strengths, key=lambda text: (-self.strengths[text], text))[:_MAX_STRENGTHS]
        generics = [f"{one}={synonyms[one]}" if one in synonyms else one for one in self.generics()]
        strengths = sorted(often, key=lambda text: (len(text.split(" + ")), _amount(text), text))
        return [name, *("|".join(part) for part in (generics, strengths, sorted(self.forms),
                                                    sorted(self.routes)))]  # fmt: skip


def _amount(text: str) -> float:
    strength = parse_strength(text.split(" + ", maxsplit=1)[0])
    return float(strength.amount) * {"g": 1000, "mcg": 0.001}.get(strength.unit, 1) if strength else 0.0


def normalise_form(text: str) -> tuple[str | None, set[str]]:
    """``TABLET, FILM COATED;ORAL`` becomes (``tablet``, {``oral``})."""
    upper = text.upper().replace("; ", ";").strip()
    form = next((form for pattern, form in _FORMS if re.search(pattern, upper)), None)
    route_text = upper.partition(";")[2].lower()
    return form, {route for route in _ROUTES if route in route_text}


def normalise_strength(text: str) -> str | None:
    """``EQ 250MG BASE/5ML **...**`` becomes ``250 mg/5 ml``; None where no plain strength is meant."""
    plain = re.sub(r"\*\*.*|\([^)]*\)?", "", text).strip()
    if len(parts := [part.strip() for part in plain.split(";")]) > 3:
        return None
    strengths = [_one_strength(part) for part in parts]
    if any(strength is None for strength in strengths):
        return None
    return " + ".join(str(strength) for strength in strengths)


def _one_strength(text: str) -> Strength | None:
    if re.fullmatch(r"0?\.\d+", text):  # a percentage that a spreadsheet turned into a fraction
        text = f"{float(text) * 100:.6g}%"
    match = re.fullmatch(
        r"(?:EQ )?([\d,.]+) ?(MG|MCG|GM|G|%|(?:USP )?UNITS|IU|MEQ)(?: [A-Z ]+?)?"
        r"(?:/([\d.]*) ?(ML|VIAL|ACTUATION|INH))?",
        text.upper(),
    )
    if match is None:
        return None
    amount, unit, volume, per = match.groups()
    written = f"{amount} {unit.removeprefix('USP ')}" + (f"/{volume} ml" if per == "ML" else "")
    return parse_strength(written.replace("/ ml", "/ml"))


def _ingredients(text: str) -> list[str]:
    found = []
    for part in re.split(r"[;,]", text.lower()):
        words = part.split()
        while len(words) > 1 and words[-1] in _SALTS:
            words.pop()
        if words and words[0] not in _SALTS:
            found.append(" ".join(words))
    return found


def gather(products_path: Path) -> dict[str, _Entry]:
    """Every usable name in the products table, brand names and single substances, with what it is sold as."""
    entries: dict[str, _Entry] = defaultdict(_Entry)
    with products_path.open(encoding="utf-8", errors="replace", newline="") as file:
        for product in csv.DictReader(file):
            form, routes = normalise_form(product["Form"])
            if form is None:
                continue
            ingredients = _ingredients(product["ActiveIngredient"])
            names = {product["DrugName"].strip()}
            if len(ingredients) == 1:
                names.add(ingredients[0])
            for name in {name.capitalize() for name in names if _NAME.fullmatch(name)}:
                entry = entries[name]
                entry.products += 1
                entry.ingredients[tuple(sorted(set(ingredients)))] += 1
                entry.forms.add(form)
                entry.routes.update(routes)
                if strength := normalise_strength(product["Strength"]):
                    entry.strengths[strength] += 1
    return entries


def confirmed_synonyms(vocabulary_path: Path) -> dict[str, str]:
    """Names of other countries that DrugBank confirms, by the name in the products table."""
    confirmed: dict[str, str] = {}
    with vocabulary_path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spellings = {row["Common name"].lower(), *(word.strip().lower() for word in row["Synonyms"].split("|"))}
            confirmed.update((us, other) for us, other in _SYNONYMS.items() if us in spellings and other in spellings)
    return confirmed


def add_synonyms(entries: dict[str, _Entry], synonyms: dict[str, str]) -> int:
    """Adds the names of other countries; returns how many are new."""
    added = 0
    for us, other in sorted(synonyms.items()):
        source, name = entries.get(us.capitalize()), other.capitalize()
        if source is not None and name not in entries and _NAME.fullmatch(name):
            entries[name] = source
            added += 1
    return added


def choose_demo(entries: dict[str, _Entry], synonyms: dict[str, str]) -> list[str]:
    """The most common substances and brands that are easy to tell apart, of 5 to 12 letters, with a plain strength."""
    usual = {"tablet", "capsule", "syrup", "suspension", "cream", "ointment", "gel", "drops"}
    room = {True: _DEMO_BRANDS, False: _DEMO_SUBSTANCES}
    chosen: list[str] = []
    for name in sorted(entries, key=lambda name: (-entries[name].products, name)):
        entry = entries[name]
        known_as = {spelling for one in entry.ingredients for part in one for spelling in (part, synonyms.get(part))}
        is_brand = name.lower() not in known_as
        plain = any(" + " not in strength for strength in entry.strengths)
        apart = all(Levenshtein.distance(name.lower(), other.lower()) >= _DEMO_MIN_DISTANCE for other in chosen)
        if room[is_brand] and 5 <= len(name) <= 12 and plain and entry.forms & usual and apart:
            chosen.append(name)
            room[is_brand] -= 1
    return sorted(chosen)


def write(path: Path, names: list[str], entries: dict[str, _Entry], synonyms: dict[str, str]) -> None:
    """Writes one lexicon and reads it back, so that a file that the package would refuse is never written."""
    lines = [",".join(HEADER)]
    lines += [",".join(entries[name].row(name, synonyms)) for name in names]
    text = "\n".join(lines) + "\n"
    lexicon = parse_lexicon(text, source=path.name)
    path.write_text(text, encoding="utf-8", newline="\n")
    print(f"{path}: {len(lexicon.medicines)} names, {len(text.encode())} bytes, digest {lexicon.digest}")


def main(arguments: list[str]) -> int:
    """Builds both lexicons."""
    parser = argparse.ArgumentParser(description="build the bundled lexicons")
    parser.add_argument("--products", type=Path, required=True, help="Drugs@FDA products table, CSV")
    parser.add_argument("--vocabulary", type=Path, required=True, help="DrugBank open vocabulary, CSV")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args(arguments)
    entries = gather(options.products)
    synonyms = confirmed_synonyms(options.vocabulary)
    added = add_synonyms(entries, synonyms)
    print(f"{added} names of other countries added")
    write(options.out / "drugsfda.csv", sorted(entries), entries, synonyms)
    write(options.out / "demo.csv", choose_demo(entries, synonyms), entries, synonyms)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
