"""Typed pages for tests, drawn in the font that Pillow carries."""

from PIL import Image, ImageDraw, ImageFont

LINES = (
    (40, 34, "Lakeview Hospital"),
    (100, 20, "14 Hospital Road   Tel 02002 555 0100"),
    (150, 22, "Name: Grace Walker      Age: 61"),
    (190, 22, "Phone: 05551 555 123    Address: 9 Mill Road"),
    (300, 26, "1. Tab. Amoxicillin 500 mg   1+0+1   7 days"),
    (380, 26, "2. Syp. Cetirizine 5 mg/5 ml   bd   5 days"),
    (460, 26, "3. Tab. Atenolol 333 mg   od   2 weeks"),
)


def typed_page(lines=LINES, size=(640, 820)):
    page = Image.new("RGB", size, (245, 245, 240))
    pen = ImageDraw.Draw(page)
    for top, height, text in lines:
        pen.text((40, top), text, font=ImageFont.load_default(height), fill=(25, 25, 60))
    return page
