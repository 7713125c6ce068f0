"""A4 pages as PDF: titles, rows, boxes, tables and a QR code, in scripts that need shaping."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING, cast

import segno
from fpdf import FPDF
from fpdf.enums import TableBordersLayout, XPos, YPos
from fpdf.fonts import FontFace, TTFFont

if TYPE_CHECKING:
    from node.consent.print.catalogue import Catalogue

_FAMILY = "noto"
_FONT_FILES = {"": "NotoSansBengali-Regular.ttf", "B": "NotoSansBengali-Bold.ttf"}
_MARGIN_MM = 20
_LABEL_MM = 48
_QR_MM = 34
_QUIET_MODULES = 4
_INK = (33, 37, 41)
_GREY = (95, 104, 112)
_ACCENT = (0, 92, 104)
_TINT = (236, 244, 245)
_RULE = (206, 214, 218)


class Paper:
    """Pages in the making.

    Args:
        catalogue: The language of what is printed.
        site: Whose paper it is; stands at the head of each page.
        printed_on: The last line of each page.
    """

    def __init__(self, catalogue: Catalogue, site: str, printed_on: str) -> None:
        self._catalogue = catalogue
        self._pdf = pdf = _Pages(catalogue, site, printed_on)
        pdf.set_margins(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
        pdf.set_auto_page_break(auto=True, margin=_MARGIN_MM)
        fonts = resources.files("node.consent.print") / "fonts"
        for style, name in _FONT_FILES.items():
            with resources.as_file(fonts / name) as path:
                pdf.add_font(_FAMILY, style, path)
        # One script for every run: a line that begins in Latin letters would leave the Bangla after it unshaped.
        pdf.set_text_shaping(use_shaping_engine=True, script="beng")
        pdf.set_lang(catalogue.language)
        pdf.set_creator("FedRx")
        font = pdf.fonts[_FAMILY]
        self._glyphs = frozenset(font.cmap if isinstance(font, TTFFont) else ())
        self._missing: set[str] = set()

    @property
    def missing(self) -> str:
        """Characters that were to be printed and that the font has no sign for, sorted."""
        return "".join(sorted(self._missing))

    def page(self, title: str) -> None:
        """Begins a page with a title."""
        self._pdf.set_title(title)
        self._pdf.add_page()
        self._write(title, size=21, style="B", colour=_ACCENT, line_mm=12)
        self._pdf.ln(1)

    def heading(self, text: str) -> None:
        """A heading within a page."""
        self._pdf.ln(3.5)
        self._write(text, size=12.5, style="B", colour=_ACCENT, line_mm=8)

    def paragraph(self, text: str, *, size: float = 11) -> None:
        """A paragraph over the whole width."""
        self._write(text, size=size, line_mm=size * 0.56)
        self._pdf.ln(1.5)

    def bullets(self, texts: Sequence[str]) -> None:
        """A list."""
        for text in texts:
            self._pdf.set_font(_FAMILY, "B", 11)
            self._pdf.set_text_color(*_ACCENT)
            self._pdf.cell(5, 6.2, "•")
            self._write(text, size=11, line_mm=6.2)
            self._pdf.ln(1)

    def rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """Labels with their values, a thin rule below each."""
        pdf = self._pdf
        for label, value in rows:
            if pdf.will_page_break(14):
                pdf.add_page()
            top = pdf.get_y() + 1.3
            pdf.set_y(top)
            self._write(label, size=9.5, colour=_GREY, line_mm=5.8, width_mm=_LABEL_MM - 3)
            below_label = pdf.get_y()
            pdf.set_xy(_MARGIN_MM + _LABEL_MM, top)
            self._write(value, size=11, line_mm=5.8)
            bottom = max(below_label, pdf.get_y()) + 1.3
            pdf.set_draw_color(*_RULE)
            pdf.line(_MARGIN_MM, bottom, pdf.w - _MARGIN_MM, bottom)
            pdf.set_y(bottom)

    def box(self, title: str, text: str) -> None:
        """A tinted box for what must not be overlooked."""
        pdf = self._pdf
        pdf.ln(5)
        inner = pdf.epw - 10
        pdf.set_font(_FAMILY, "", 11)
        below_title = pdf.multi_cell(inner, 6.2, text, dry_run=True, output="HEIGHT", align="L")
        height = 8 + 7.5 + cast("float", below_title)
        if pdf.will_page_break(height):
            pdf.add_page()
        top = pdf.get_y()
        pdf.set_fill_color(*_TINT)
        pdf.rect(_MARGIN_MM, top, pdf.epw, height, style="F", round_corners=True, corner_radius=2)
        pdf.set_xy(_MARGIN_MM + 5, top + 3.5)
        self._write(title, size=12.5, style="B", colour=_ACCENT, line_mm=7.5, width_mm=inner)
        pdf.set_x(_MARGIN_MM + 5)
        self._write(text, size=11, line_mm=6.2, width_mm=inner)
        pdf.set_y(top + height)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
        """A table.

        Args:
            heads: Heads of the columns.
            rows: As many cells each.
            widths: Parts of the width, a column each.
        """
        pdf = self._pdf
        pdf.set_font(_FAMILY, "", 10)
        pdf.set_text_color(*_INK)
        pdf.set_draw_color(*_RULE)
        layout = TableBordersLayout.HORIZONTAL_LINES
        heading = FontFace(emphasis="BOLD", color=_ACCENT)
        with pdf.table(
            borders_layout=layout, headings_style=heading, col_widths=tuple(widths), line_height=6, text_align="LEFT"
        ) as table:
            for cells in (heads, *rows):
                row = table.row()
                for cell in cells:
                    self._note_missing(cell)
                    row.cell(cell)

    def code(self, content: str, title: str, text: str, rows: Sequence[tuple[str, str]]) -> None:
        """A QR code with words beside it.

        Args:
            content: What the code says.
            title: Stands beside it.
            text: Below the title.
            rows: Small labels with values, below the text.
        """
        pdf = self._pdf
        pdf.ln(6)
        if pdf.will_page_break(_QR_MM + 12):
            pdf.add_page()
        top, left = pdf.get_y(), _MARGIN_MM + _QR_MM + 6
        self._draw_code(content, _MARGIN_MM, top)
        pdf.set_left_margin(left)
        pdf.set_y(top - 1)
        self._write(title, size=12.5, style="B", colour=_ACCENT, line_mm=7.5)
        self._write(text, size=9.5, line_mm=5.2)
        pdf.ln(1.5)
        for label, value in rows:
            self._write(label, size=8, colour=_GREY, line_mm=4.4)
            self._write(value, size=9.5, line_mm=5)
        pdf.set_left_margin(_MARGIN_MM)
        pdf.set_y(max(pdf.get_y(), top + _QR_MM))

    def to_bytes(self) -> bytes:
        """The PDF."""
        return bytes(self._pdf.output())

    def _write(
        self,
        text: str,
        *,
        size: float,
        line_mm: float,
        style: str = "",
        colour: tuple[int, int, int] = _INK,
        width_mm: float = 0,
    ) -> None:
        self._note_missing(text)
        self._pdf.set_font(_FAMILY, style, size)
        self._pdf.set_text_color(*colour)
        self._pdf.multi_cell(width_mm, line_mm, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _note_missing(self, text: str) -> None:
        self._missing.update(char for char in text if ord(char) not in self._glyphs and char != "\n")

    def _draw_code(self, content: str, left: float, top: float) -> None:
        matrix = segno.make(content, error="m", micro=False, boost_error=False).matrix
        module = _QR_MM / (len(matrix) + 2 * _QUIET_MODULES)
        self._pdf.set_fill_color(0, 0, 0)
        for row_number, row in enumerate(matrix):
            column = 0
            while column < len(row):
                length = 1
                if row[column]:
                    while column + length < len(row) and row[column + length]:
                        length += 1
                    x = left + (column + _QUIET_MODULES) * module
                    y = top + (row_number + _QUIET_MODULES) * module
                    self._pdf.rect(x, y, length * module, module, style="F")
                column += length


class _Pages(FPDF):
    """Pages with a head and a foot."""

    def __init__(self, catalogue: Catalogue, site: str, printed_on: str) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._catalogue = catalogue
        self._site = site
        self._printed_on = printed_on

    def header(self) -> None:
        """The site's name over a rule."""
        self.set_y(11)
        self.set_font(_FAMILY, "B", 10)
        self.set_text_color(*_GREY)
        self.cell(0, 6, self._site)
        self.set_draw_color(*_ACCENT)
        self.set_line_width(0.7)
        self.line(_MARGIN_MM, 18, self.w - _MARGIN_MM, 18)
        self.set_line_width(0.2)
        self.set_y(23)

    def footer(self) -> None:
        """When it was printed, and the page's number."""
        self.set_y(-15)
        self.set_font(_FAMILY, "", 8.5)
        self.set_text_color(*_GREY)
        self.cell(self.epw / 2, 6, self._printed_on)
        words = self._catalogue
        self.cell(self.epw / 2, 6, words.page.format(page=words.number(self.page_no())), align="R")
