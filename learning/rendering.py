"""Word images drawn from handwriting fonts: enough to begin with before any site has shown a real word."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from protocol.errors import ConfigError

_FONTSOURCE_SUFFIX = "-latin-400-normal"
_FONT_GLOBS = (f"*{_FONTSOURCE_SUFFIX}.woff2", "*.ttf", "*.otf")
_PAPER = 255


@dataclass(frozen=True, slots=True, order=True)
class FontFile:
    """A font that Pillow can open."""

    family: str
    """Slug, such as ``"homemade-apple"``."""
    path: Path


@dataclass(frozen=True, slots=True)
class RenderedWord:
    """A drawn crop and what it says."""

    crop: npt.NDArray[np.uint8]
    """uint8 [height, width], 0 is black, about 40 to 100 rows."""
    label: str
    family: str


def find_fonts(folder: Path, families: Iterable[str] | None = None) -> tuple[FontFile, ...]:
    """Fonts below a folder, sorted by family, one file each: fontsource woff2 of the latin subset, ttf and otf.

    Args:
        folder: Searched with its sub-folders, such as a ``fonts/`` in which npm put ``@fontsource`` packages.
        families: Only these, all of which must be there; None takes all. Name them to keep others for tests.

    Raises:
        ConfigError: No font is there, or a family is missing.
    """
    found: dict[str, FontFile] = {}
    for pattern in _FONT_GLOBS:
        for path in sorted(folder.rglob(pattern)):
            family = path.stem.removesuffix(_FONTSOURCE_SUFFIX).lower()
            found.setdefault(family, FontFile(family, path))
    wanted = sorted(found) if families is None else sorted(set(families))
    missing = [family for family in wanted if family not in found]
    if missing or not wanted:
        raise ConfigError(
            f"no font file for {', '.join(missing) or 'any family'} below {folder}",
            hint="install the @fontsource packages, or name another folder",
        )
    return tuple(found[family] for family in wanted)


def render_words(texts: Sequence[str], fonts: Sequence[FontFile], renderings: int, seed: int) -> list[RenderedWord]:
    """Draws each text ``renderings`` times, each in another font while there are others.

    Varies size, slant, thickness, rotation within 3 degrees, ink, paper, blur and noise. The same arguments give the
    same images with the same versions of numpy, Pillow and FreeType.

    Args:
        texts: What to write, none empty.
        fonts: What to write with, at least one.
        renderings: Images of each text.
        seed: 0 or more.

    Raises:
        ConfigError: A font file cannot be opened.
    """
    words: list[RenderedWord] = []
    for row, text in enumerate(texts):
        order = np.random.Generator(np.random.PCG64([seed, row])).permutation(len(fonts))
        for turn in range(renderings):
            generator = np.random.Generator(np.random.PCG64([seed, row, turn + 1]))
            font = fonts[int(order[turn % len(fonts)])]
            words.append(RenderedWord(_draw(text, font, generator), text, font.family))
    return words


def _draw(text: str, font: FontFile, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    drawn = _ink_mask(text, font, int(generator.integers(44, 76)), int(generator.integers(0, 2)))
    drawn = _slanted(drawn, generator.uniform(-0.15, 0.35))
    drawn = drawn.rotate(generator.uniform(-3, 3), Image.Resampling.BICUBIC, expand=True)
    drawn = _cropped(drawn, generator)
    height = int(generator.integers(40, 101))
    width = max(1, math.ceil(drawn.width * height / drawn.height))
    drawn = drawn.resize((width, height), Image.Resampling.BICUBIC)
    drawn = drawn.filter(ImageFilter.GaussianBlur(generator.uniform(0, 1.2)))
    ink, paper = generator.uniform(0, 110), generator.uniform(200, _PAPER)
    coverage = np.asarray(drawn, dtype=np.float64) / 255
    grey = paper + (ink - paper) * coverage + generator.normal(0, generator.uniform(0, 10), coverage.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _ink_mask(text: str, font: FontFile, size: int, stroke: int) -> Image.Image:
    """The text in white on black with room around it."""
    try:
        face = ImageFont.truetype(str(font.path), size)
    except OSError as error:
        raise ConfigError(f"the font {font.path} cannot be opened", hint="remove it or install it again") from error
    left, top, right, bottom = face.getbbox(text, stroke_width=stroke)
    margin = size // 2
    mask = Image.new("L", (math.ceil(right - left) + 2 * margin, math.ceil(bottom - top) + 2 * margin))
    ImageDraw.Draw(mask).text((margin - left, margin - top), text, fill=255, font=face, stroke_width=stroke)
    return mask


def _slanted(mask: Image.Image, slant: float) -> Image.Image:
    """Shears to the right by ``slant`` columns a row."""
    reach = math.ceil(abs(slant) * mask.height)
    shift = -reach if slant > 0 else 0
    size = (mask.width + reach, mask.height)
    return mask.transform(size, Image.Transform.AFFINE, (1, slant, shift, 0, 1, 0), Image.Resampling.BICUBIC)


def _cropped(mask: Image.Image, generator: np.random.Generator) -> Image.Image:
    """Cuts to the ink with a small uneven margin; a text without ink stays as it is."""
    box = mask.getbbox()
    if box is None:
        return mask
    left, top, right, bottom = box
    margins = generator.integers(1, 9, size=4)
    return mask.crop((left - int(margins[0]), top - int(margins[1]), right + int(margins[2]), bottom + int(margins[3])))
