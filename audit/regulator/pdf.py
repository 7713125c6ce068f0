"""The report as PDF, A4: the same report gives the same bytes."""

from __future__ import annotations

from datetime import UTC, datetime

from fpdf import FPDF
from fpdf.enums import WrapMode, XPos, YPos

from audit.regulator.parts import Line, Report, Section

_MARGIN_MM = 18
_LABEL_MM = 36
_INK, _SOFT, _ACCENT, _RULE = (20, 33, 43), (81, 98, 110), (10, 101, 112), (213, 221, 225)
_IN_LATIN = str.maketrans({"…": "...", "–": "-", "’": "'", "“": '"', "”": '"'})
_LATEST = datetime.max.replace(tzinfo=UTC).timestamp()


def report_pdf(report: Report) -> bytes:
    """The file's bytes."""
    pdf = _Pages(report)
    pdf.add_page()
    pdf.say(report.title, size=19, style="B", colour=_ACCENT)
    lead = (
        f"As of block {report.made_at.number}, {report.when}. Each line names the transaction that says it, and what "
    )
    pdf.say(f'{lead}"fedrx audit prove" is asked for to show it without a network.', size=9.5, colour=_SOFT)
    pdf.ln(3)
    for name, value in report.facts:
        pdf.fact(name, value)
    for number, section in enumerate(report.sections, start=1):
        pdf.section(number, section)
    return bytes(pdf.output())


class _Pages(FPDF):
    """Pages in the making."""

    def __init__(self, report: Report) -> None:
        super().__init__(format="A4")
        self.set_margins(_MARGIN_MM, _MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=_MARGIN_MM)
        self.set_title(report.title)
        self.set_creator("FedRx")
        self.set_lang("en")
        # The block's time: a clock of our own would give other bytes each time.
        self.set_creation_date(datetime.fromtimestamp(min(report.made_at.timestamp, _LATEST), UTC))
        self._foot = f"Block {report.made_at.number}, {report.made_at.block_hash}"

    def footer(self) -> None:
        """The block and the page's number."""
        self.set_y(-12)
        self.set_font("Helvetica", "", 7.5)
        self.set_text_color(*_SOFT)
        self.cell(0, 5, f"{self._foot}     page {self.page_no()}", align="C")

    def say(
        self, text: str, *, size: float, style: str = "", colour: tuple[int, int, int] = _INK, family: str = "Helvetica"
    ) -> None:
        """A paragraph over the rest of the width."""
        self.set_font(family, style, size)
        self.set_text_color(*colour)
        latin = text.translate(_IN_LATIN).encode("latin-1", "replace").decode("latin-1")
        # Digests have no spaces to break at.
        wrap = WrapMode.CHAR if family == "Courier" else WrapMode.WORD
        self.multi_cell(0, size * 0.5, latin, align="L", wrapmode=wrap, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def fact(self, name: str, value: str) -> None:
        """A name and its value."""
        top = self.get_y()
        self.say(name, size=9, colour=_SOFT)
        self.set_xy(_MARGIN_MM + _LABEL_MM, top)
        self.say(value, size=9)
        self.ln(0.6)

    def section(self, number: int, section: Section) -> None:
        """A heading, its lead, its lines."""
        self.ln(5)
        if self.will_page_break(30):
            self.add_page()
        self.start_section(f"{number}. {section.title}")
        self.say(f"{number}. {section.title}", size=13, style="B", colour=_ACCENT)
        if section.lead:
            self.say(section.lead, size=9.5, colour=_SOFT)
        self.ln(1)
        for line in section.lines:
            self._line(line)

    def _line(self, line: Line) -> None:
        if self.will_page_break(16):
            self.add_page()
        self.set_draw_color(*_RULE)
        self.line(_MARGIN_MM, self.get_y(), self.w - _MARGIN_MM, self.get_y())
        self.ln(1)
        self.say(f"{line.when}  {line.text}" if line.when else line.text, size=9.5)
        if line.tx:
            self.say(f"tx {line.tx}", size=7, colour=_SOFT, family="Courier")
        if line.proof:
            self.say(f"proof: {line.proof}", size=7, colour=_SOFT, family="Courier")
        self.ln(1)
