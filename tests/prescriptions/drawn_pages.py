"""Handwritten-looking pages on one letterhead, drawn by lines, and what befalls a page."""

import cv2
import numpy as np

from prescriptions.preprocess import prepare

WIDTH, HEIGHT = 700, 900


def page(seed, lines=5):
    """Letterhead and labels are the same on every page; everything below is scribbled anew."""
    sheet = np.full((HEIGHT, WIDTH), 245, np.uint8)
    cv2.putText(sheet, "Lakeview Hospital", (60, 70), cv2.FONT_HERSHEY_DUPLEX, 1.3, 30, 2)
    cv2.putText(sheet, "14 Hospital Road  Tel 02002 555 0100", (60, 105), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 40, 1)
    cv2.line(sheet, (50, 125), (WIDTH - 50, 125), 40, 2)
    cv2.putText(sheet, "Name:                Age:        Date:", (60, 160), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 40, 1)
    rng = np.random.default_rng(seed)
    for row in range(lines):
        left = 70
        for _ in range(4):
            wide = int(rng.integers(60, 150))
            x = np.linspace(left, left + wide, 60)
            waves = np.cumsum(rng.normal(0, 5, 60))
            y = 250 + 110 * row + 14 * np.sin(np.linspace(0, rng.uniform(15, 40), 60)) + waves - waves.mean()
            cv2.polylines(sheet, [np.stack([x, y], axis=1).round().astype(np.int32)], False, 45, 2, cv2.LINE_AA)
            left += wide + 25
    return sheet


def jpeg(sheet, quality=40):
    return cv2.imdecode(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def half_size(sheet):
    return cv2.resize(sheet, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def turned(sheet):
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 2.5, 1)
    return cv2.warpAffine(sheet, matrix, (WIDTH, HEIGHT), borderValue=245)


def cropped(sheet):
    return sheet[35 : HEIGHT - 60, 30 : WIDTH - 20].copy()


def photographed(sheet):
    corners = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    seen = corners + np.array([[12, 9], [-15, 14], [-6, -18], [14, -7]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    picture = cv2.warpPerspective(sheet, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    shade = np.linspace(1, 0.6, WIDTH)[None, :]
    noise = np.random.default_rng(9).normal(0, 4, picture.shape)
    return np.clip(picture * shade + noise, 0, 255).astype(np.uint8)


def grey_of(sheet):
    return prepare(sheet).grey
