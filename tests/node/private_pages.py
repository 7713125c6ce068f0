"""Pages that are full of private strings, in the places where they are hardest to keep apart from the medicines."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SECRETS = (
    "01711555123",  # telephone
    "02002555014",  # the hospital's
    "46 Kingfisher Terrace",  # address
    "73 years",  # age
    "NID 8823417706",  # identity number
    "MRN 5561990",
    "A 48213",  # the doctor's registration
    "Okonkwo",  # the doctor, and the signature
    "wanjiru@mailbox.test",
    "desk@lakeview.test",
    "widowed teacher",  # free text
)
MEDICINES = ("Amoxicillin", "Cetirizine", "Atenolol", "Omeprazole", "Ibuprofen", "Metformin", "Losartan", "Diclofenac",
             "Ramipril")  # fmt: skip

_HEAD = (
    (36, 34, "Lakeview Hospital"),
    (82, 18, "Dr. B. Okonkwo, MBBS    Reg. No. A 48213    desk@lakeview.test"),
    (110, 18, "46 Kingfisher Terrace    Tel 02002555014"),
    (160, 22, "Name: Grace Walker    Age: 73 years"),
    (194, 22, "Phone: 01711555123    NID 8823417706"),
    (228, 22, "E-mail: wanjiru@mailbox.test    MRN 5561990"),
)
_FOOT = ((720, 24, "Okonkwo"), (756, 16, "A 48213"))
_BODIES = (
    # A free line, a number on the medicine's own line, private lines right above and below.
    ((330, 26, "1. Tab. {0} 500 mg   1+0+1   7 days"), (420, 26, "2. Tab. {1} 10 mg  od  01711555123"),
     (452, 20, "MRN 5561990  46 Kingfisher Terrace"), (480, 26, "3. Tab. {2} 50 mg  bd  x 5 days")),
    # Private words to the right of and stuck under the names.
    ((330, 26, "Tab. {0} 20 mg  widowed teacher, 73 years"), (360, 18, "Phone 01711555123"),
     (430, 26, "Tab. {1} 400 mg tds  wanjiru@mailbox.test"), (520, 26, "Tab. {2} 500 mg bd 8823417706")),
    ((330, 26, "1. Tab. {0} 50 mg od"), (362, 26, "   46 Kingfisher Terrace"), (420, 26, "2. Tab. {1} 50 mg"),
     (452, 26, "   1+0+1  7 days  Okonkwo"), (520, 26, "3. Cap. {2} 5 mg  hs  A 48213")),
)  # fmt: skip


def page_lines(number: int) -> list[tuple[int, int, str]]:
    """Top, height and text of every line of one of the three pages."""
    names = MEDICINES[3 * number : 3 * number + 3]
    body = [(top, height, text.format(*names)) for top, height, text in _BODIES[number]]
    return [*_HEAD, *body, *_FOOT]


def draw_pages(folder: Path) -> list[Path]:
    """The three pages as PNG files."""
    paths = []
    for number in range(len(_BODIES)):
        page = Image.new("RGB", (700, 820), (244, 244, 240))
        pen = ImageDraw.Draw(page)
        for top, height, text in page_lines(number):
            pen.text((40, top), text, font=ImageFont.load_default(height), fill=(20, 20, 60))
        paths.append(folder / f"page-{number}.png")
        page.save(paths[-1])
    return paths
