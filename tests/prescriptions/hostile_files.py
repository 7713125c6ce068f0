"""Damaged and hostile files from a seed: each kind is a function of a random generator."""

import struct
import zlib
from itertools import islice

import numpy as np
from paper import encoded, pdf, text_pdf
from PIL import Image
from test_decoding_dicom import GREY, dicom

_SMALL = Image.fromarray(np.add.outer(np.arange(90), np.arange(70)).astype(np.uint8))
_MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0", b"MM\0*", b"II+\0", b"RIFF\0\0\1\0WEBPVP8 ",
           b"%PDF-1.7\n", bytes(128) + b"DICM")  # fmt: skip
_FOREIGN = (
    encoded(_SMALL, "GIF"), encoded(_SMALL, "BMP"), b"MZ" + bytes(400), b"\x7fELF" + bytes(400), b"PK\3\4" + bytes(400),
    b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", b"<html>%PDF</html>",
    b"#!/bin/sh\nid\n", b"8BPS\0\1" + bytes(200), b"\0\0\1\0\1\0" + bytes(200), b"\0", b"P6 9 9 255 " + bytes(243),
    b"%!PS-Adobe-3.0 EPSF\n",
)  # fmt: skip


def _honest():
    rgb = _SMALL.convert("RGB")
    return {
        "png": encoded(_SMALL, "PNG"),
        "jpeg": encoded(rgb, "JPEG"),
        "tiff": encoded(_SMALL, "TIFF", save_all=True, append_images=[_SMALL]),
        "tiff packed": encoded(rgb, "TIFF", compression="tiff_adobe_deflate"),
        "webp": encoded(rgb, "WEBP"),
        "pdf picture": encoded(rgb, "PDF"),
        "pdf text": text_pdf((40, 400, 14, "Tab. Atenolol 50 mg"), (40, 360, 14, "1+0+1")),
        "dicom": dicom(GREY),
    }


HONEST = _honest()


def _one(rng, values):
    return list(values)[rng.integers(len(values))]


def cut_short(rng):
    content = _one(rng, HONEST.values())
    return content[: rng.integers(1, len(content))]


def flipped(rng):
    content = bytearray(_one(rng, HONEST.values()))
    for _ in range(int(rng.integers(1, 24))):
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(content)


def overwritten(rng):
    content = bytearray(_one(rng, HONEST.values()))
    start, count = rng.integers(len(content)), int(rng.integers(1, 200))
    content[start : start + count] = _one(rng, (b"\xff" * count, bytes(count), rng.bytes(count)))
    return bytes(content)


def stretched(rng):
    content = _one(rng, HONEST.values())
    place = rng.integers(len(content))
    return content[:place] + rng.bytes(int(rng.integers(1, 5000))) + content[place:]


def noise_behind_a_magic_number(rng):
    return _one(rng, _MAGICS) + rng.bytes(int(rng.integers(0, 4000)))


def foreign(rng):
    return _one(rng, _FOREIGN) + rng.bytes(int(rng.integers(0, 20)))


def _chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(width, height, *chunks, depth=8, colour=0, data=b""):
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _zeros(count):
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(1 << 20, count - done))) for done in range(0, count, 1 << 20)]
    return b"".join(parts) + packer.flush()


def png_bomb(rng):
    side = int(_one(rng, (6000, 7900, 20_000)))
    return _png(side, side, depth=1, data=_zeros((side // 8 + 1) * side))


def png_that_lies(rng):
    sides = (0, 1, 3, 0x7FFF_FFFF, 0xFFFF_FFFF, 70_000)
    depth, colour = int(_one(rng, (1, 3, 8, 16))), int(_one(rng, range(8)))
    return _png(_one(rng, sides), _one(rng, sides), depth=depth, colour=colour, data=zlib.compress(bytes(99)))


def png_with_a_swollen_text(rng):
    text = _chunk(b"zTXt", b"Comment\0\0" + _zeros(80 << 20))
    profile = _chunk(b"iCCP", b"icc\0\0" + _zeros(80 << 20))
    return _png(8, 8, _one(rng, (text, profile)), data=zlib.compress(bytes(72)))


def jpeg_that_lies(rng):
    content = bytearray(HONEST["jpeg"])
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">HH", *rng.integers(0, 65_536, 2).tolist())
    return bytes(content)


def jpeg_with_a_looping_exif(rng):
    entry = struct.pack("<HHII", int(_one(rng, (0x8769, 0x8825, 0x0112))), 4, 1, 8)
    tags = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + struct.pack("<I", 8)
    content = HONEST["jpeg"]
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(tags) + 2) + tags + content[2:]


def _tiff(entries, next_directory, data=b""):
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + body + struct.pack("<I", next_directory) + data


def _tiff_entries(width, height, length, *, compression=1, offset=200):
    return [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
            (273, 4, 1, offset), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, length)]  # fmt: skip


def tiff_that_loops(rng):
    return _tiff(_tiff_entries(8, 8, 64), int(_one(rng, (8, 0, 122, 0xFFFF_FFF0))), bytes(200))


def tiff_bomb(rng):
    packed = _zeros(int(_one(rng, (30, 200))) << 20)
    sides = _one(rng, ((5000, 6000), (14_000, 14_000), (0xFFFF_FFFF, 4), (0, 9)))
    head = _tiff(_tiff_entries(*sides, len(packed), compression=8), 0)
    return head + bytes(200 - len(head)) + packed


def tiff_with_many_pages(rng):
    return encoded(_SMALL, "TIFF", save_all=True, append_images=[_SMALL] * int(rng.integers(10, 60)))


def webp_that_lies(rng):
    content = bytearray(HONEST["webp"])
    content[26:30] = struct.pack("<HH", *rng.integers(0, 16_384, 2).tolist())
    return bytes(content)


def _page(*objects, page=b"", catalog=b"", box=b"0 0 300 400"):
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % catalog,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] %s >>" % (box, page),
        *objects,
    )


def _stream(body, more=b""):
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(body), more, body)


def pdf_with_strange_pages(rng):
    kids = _one(rng, (b"[]", b"[2 0 R]", b"[3 0 R 3 0 R 2 0 R]", b"[9 0 R]", b"[" + b"3 0 R " * 900 + b"]"))
    count = int(_one(rng, (0, 1, -5, 900, 2**31)))
    return pdf(b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids %s /Count %d >>" % (kids, count),
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>")  # fmt: skip


def pdf_of_a_strange_size(rng):
    return _page(box=_one(rng, (b"0 0 0 0", b"0 0 1e9 1e9", b"0 0 1 14400", b"5 5 -5 -5", b"0 0 nan 9", b"")))


def pdf_with_a_script(rng):
    action = b"/OpenAction << /S /JavaScript /JS (while(true){app.alert(1)}) >>"
    launch = b"/OpenAction << /S /Launch /F (/bin/sh) >>"
    remote = b"/OpenAction << /S /URI /URI (http://198.51.100.1/) >> /AA << /WC << /S /JavaScript /JS (1) >> >>"
    return _page(_stream(b"0 0 m 9 9 l S"), page=b"/Contents 4 0 R", catalog=_one(rng, (action, launch, remote)))


def pdf_with_a_file_inside(rng):
    inner = _one(rng, (HONEST["pdf text"], b"MZ" + bytes(300), pdf_with_a_script(rng)))
    names = b"/Names << /EmbeddedFiles << /Names [(a) 4 0 R] >> >>"
    return _page(b"<< /Type /Filespec /F (a.exe) /EF << /F 5 0 R >> >>", _stream(inner), catalog=names)


def pdf_bomb(rng):
    once = _zeros(60 << 20)
    twice = zlib.compress(once)
    body, filters = _one(rng, ((once, b"/FlateDecode"), (twice, b"[/FlateDecode /FlateDecode]")))
    if rng.random() < 0.5:
        return _page(_stream(body, b"/Filter %s" % filters), page=b"/Contents 4 0 R")
    image = b"/Type /XObject /Subtype /Image /Width 30000 /Height 30000 /BitsPerComponent 8 /ColorSpace /DeviceGray"
    return _page(_stream(body, image + b" /Filter %s" % filters), _stream(b"300 0 0 400 0 0 cm /X Do"),
                 page=b"/Contents 5 0 R /Resources << /XObject << /X 4 0 R >> >>")  # fmt: skip


def pdf_that_draws_for_ever(rng):
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X 4 0 R >> >>"
    if rng.random() < 0.5:
        return _page(_stream(b"/X Do " * 40, form), _stream(b"/X Do"),
                     page=b"/Contents 5 0 R /Resources << /XObject << /X 4 0 R >> >>")  # fmt: skip
    return _page(
        _stream(zlib.compress(b"0 0 m 300 400 l S\n" * 400_000), b"/Filter /FlateDecode"), page=b"/Contents 4 0 R"
    )


def pdf_that_nests(rng):
    depth = int(rng.integers(200, 200_000))
    return _page(b"[" * depth + b"]" * int(rng.integers(0, depth)), page=b"/Contents 4 0 R")


def pdf_with_a_circular_table(rng):
    content = HONEST["pdf text"]
    start = content.rindex(b"xref\n0")
    return content.replace(b"trailer\n<<", b"trailer\n<< /Prev %d" % _one(rng, (start, 0, 9**9)))


def polyglot(rng):
    first, second = _one(rng, HONEST.values()), _one(rng, (*HONEST.values(), *_FOREIGN))
    glue = _one(rng, (b"", bytes(int(rng.integers(900))), b"\n<script>alert(1)</script>\n"))
    return _one(rng, (first + glue + second, second + glue + first))


def dicom_that_lies(rng):
    lies = ({"Rows": 65_535, "Columns": 65_535}, {"NumberOfFrames": 10**6}, {"Rows": 0}, {"BitsAllocated": 64},
            {"SamplesPerPixel": 77}, {"BitsStored": 99}, {"PhotometricInterpretation": "PALETTE COLOR"},
            {"NumberOfFrames": -3})  # fmt: skip
    return dicom(GREY, **_one(rng, lies))


def dicom_with_false_lengths(rng):
    content = bytearray(HONEST["dicom"])
    tag = _one(rng, (b"\xe0\x7f\x10\x00OB\0\0", b"\x28\x00\x10\x00US", b"\x10\x00\x10\x00PN"))
    place = content.find(tag)
    length = _one(rng, (0xFFFF_FFFF, 0x7FFF_FFF0, 1, 0xFFFE))
    if place >= 0:
        size = 4 if tag.endswith(b"\0\0") else 2
        content[place + len(tag) : place + len(tag) + size] = (length % 256**size).to_bytes(size, "little")
    return bytes(content)


def dicom_that_nests(rng):
    item = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFF_FFFF) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 0xFFFF_FFFF
    )
    content = HONEST["dicom"]
    place = content.index(b"\x28\x00\x02\x00US")
    return content[:place] + item * int(rng.integers(10, 30_000)) + content[place:]


def empty(_):
    return b""


KINDS = (
    cut_short, flipped, overwritten, stretched, noise_behind_a_magic_number, foreign, png_bomb, png_that_lies,
    png_with_a_swollen_text, jpeg_that_lies, jpeg_with_a_looping_exif, tiff_that_loops, tiff_bomb, tiff_with_many_pages,
    webp_that_lies, pdf_with_strange_pages, pdf_of_a_strange_size, pdf_with_a_script, pdf_with_a_file_inside, pdf_bomb,
    pdf_that_draws_for_ever, pdf_that_nests, pdf_with_a_circular_table, polyglot, dicom_that_lies,
    dicom_with_false_lengths, dicom_that_nests, empty,
)  # fmt: skip
_OFTEN = 2
"""Damaged honest files come so many times more often than each made-up kind."""


def hostile_files(seed):
    """Endless pairs of a name, which says kind and number, and the bytes; each depends on the seed and number alone."""
    order = [*KINDS, *(KINDS[:4] * _OFTEN)]
    number = 0
    while True:
        kind = order[number % len(order)]
        yield f"{kind.__name__} {number}", kind(np.random.default_rng([seed, number]))
        number += 1


def sample(seed, start, stop):
    """Some of them."""
    return list(islice(hostile_files(seed), start, stop))


__all__ = ["HONEST", "hostile_files", "sample"]
