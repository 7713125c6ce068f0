"""Words drawn with the font that Pillow carries."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

NAMES = ("Napa", "Seclo", "Ace", "Azithrocin", "Ketoral", "Baclofen", "Monas", "Fexo")


def draw_word(text: str, size: int = 40) -> np.ndarray:
    face = ImageFont.load_default(size)
    left, top, right, bottom = face.getbbox(text)
    image = Image.new("L", (int(right - left) + 16, int(bottom - top) + 16), 240)
    ImageDraw.Draw(image).text((8 - left, 8 - top), text, fill=30, font=face)
    return np.asarray(image)
