"""Typed pages for tests, drawn in the font that Pillow carries."""

import io

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


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pdf(*objects, trailer=b""):
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return body + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n"
        % (size, table, size, trailer, len(body))
    )


def text_pdf(*lines, more=b"", rotate=0):
    """One page of 420 x 560 points; a line is (x, y from below, size, text), ``more`` is drawn after them."""
    drawn = b"".join(b"BT /F1 %d Tf %d %d Td (%s) Tj ET\n" % (size, x, y, text.encode()) for x, y, size, text in lines)
    stream = drawn + more
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 560] /Rotate %d /Contents 5 0 R"
        b" /Resources << /Font << /F1 4 0 R >> >> >>" % rotate,
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    )
