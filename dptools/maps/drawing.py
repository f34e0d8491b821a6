"""Draw a map of an invented country: contour lines, a river, a railway, and words at known places."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dptools.maps.images import Floats, Pixels
from dptools.maps.words import Word

WIDTH, HEIGHT = 960, 720
PAPER, TEXT, CONTOUR, WATER = (236, 231, 216), (48, 44, 40), (188, 160, 124), (112, 136, 150)

SUPERSAMPLING = 3
"""The map is drawn larger by this factor and then reduced, for smooth lines."""


@dataclass(frozen=True)
class Label:
    """A word to draw.

    Attributes:
        text: The word.
        x: Column of its centre, in pixels.
        y: Row of its centre, in pixels.
        size: Font size in pixels.
        angle: Direction of the text at its middle, in degrees, anticlockwise.
        spacing: Extra space between letters, as a fraction of the size.
        bend: Clockwise rotation from one letter to the next, in degrees.
        font: Name of a font of Matplotlib.
    """

    text: str
    x: float
    y: float
    size: float = 17
    angle: float = 0
    spacing: float = 0.06
    bend: float = 0
    font: str = "DejaVuSerif"


LABELS = (
    Label("HOLLIN", 205, 95, 26, spacing=0.7, font="DejaVuSerif-Bold"),
    Label("MARLOW", 690, 610, 26, spacing=0.7, font="DejaVuSerif-Bold"),
    Label("Alderton", 150, 250, font="DejaVuSans-Bold"),
    Label("Kingsford", 470, 170, font="DejaVuSans-Bold"),
    Label("Thornbury", 770, 300, font="DejaVuSans-Bold"),
    Label("Wexcombe", 330, 560, font="DejaVuSans-Bold"),
    Label("Fox", 605, 95),
    Label("Hill", 655, 95),
    Label("Stony", 812, 156, angle=35),
    Label("Ridge", 864, 119, angle=35),
    Label("Tern", 205, 390, 18, font="DejaVuSerif-Italic"),
    Label("Lake", 258, 390, 18, font="DejaVuSerif-Italic"),
    Label("Silver", 502, 398, 18, angle=48, font="DejaVuSerif-Italic"),
    Label("Brook", 552, 343, 18, angle=48, font="DejaVuSerif-Italic"),
    Label("Northern", 250, 648, 16, angle=-12),
    Label("Railway", 345, 672, 16, angle=-16),
    Label("Windmill", 85, 500, 16, angle=90),
    Label("Priory", 905, 470, 16, angle=-75),
    Label("GREENWOOD", 560, 245, 20, angle=10, spacing=0.45, bend=-5),
    Label("Longmeadow", 690, 455, 18, angle=-35, bend=4),
    Label("Copse", 420, 300, 16, angle=-30),
    Label("Saltmarsh", 400, 470, 17, angle=20, bend=3, font="DejaVuSerif-Italic"),
)


def draw_map() -> tuple[Pixels, list[Word]]:
    """Return the map, 720 x 960 x 3, and its words."""
    generator = np.random.default_rng(0)
    image = Image.new("RGB", (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING), PAPER)
    draw = ImageDraw.Draw(image)
    for contour in _contours(generator):
        draw.line(contour, fill=CONTOUR, width=SUPERSAMPLING)
    _draw_river(draw)
    _draw_railway(draw)
    words = [_draw_label(image, label) for label in LABELS]
    reduced = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), np.float32)
    grain = generator.normal(0, 4, (HEIGHT, WIDTH, 1))
    return (reduced + grain).clip(0, 255).astype(np.uint8), words


def _contours(generator: np.random.Generator) -> Iterator[list[tuple[float, float]]]:
    from scipy.ndimage import gaussian_filter
    from skimage.measure import find_contours

    terrain = gaussian_filter(generator.normal(size=(HEIGHT // 4, WIDTH // 4)), 18, mode="reflect")
    for level in np.quantile(terrain, np.linspace(0.1, 0.9, 9)):
        for contour in find_contours(terrain, level):
            yield [(x * 4 * SUPERSAMPLING, y * 4 * SUPERSAMPLING) for y, x in contour]


def _draw_river(draw: ImageDraw.ImageDraw) -> None:
    y = np.linspace(0, HEIGHT, 200)
    x = 575 - 0.35 * (y - 330) + 45 * np.sin(y / 70)
    draw.line(_points(x, y), fill=WATER, width=4 * SUPERSAMPLING)


def _draw_railway(draw: ImageDraw.ImageDraw) -> None:
    x = np.linspace(0, WIDTH, 120)
    line = _points(x, 585 + 95 * np.sin(x / 260))
    draw.line(line, fill=TEXT, width=2 * SUPERSAMPLING)
    for (x0, y0), (x1, y1) in zip(line[::2], line[1::2], strict=False):
        length = math.hypot(x1 - x0, y1 - y0)
        dx, dy = -(y1 - y0) / length * 5 * SUPERSAMPLING, (x1 - x0) / length * 5 * SUPERSAMPLING
        draw.line([(x0 - dx, y0 - dy), (x0 + dx, y0 + dy)], fill=TEXT, width=SUPERSAMPLING)


def _points(x: Floats, y: Floats) -> list[tuple[float, float]]:
    return [(a * SUPERSAMPLING, b * SUPERSAMPLING) for a, b in zip(x, y, strict=True)]


def _draw_label(image: Image.Image, label: Label) -> Word:
    """Draw a label letter by letter along its line, and return its word."""
    size = label.size * SUPERSAMPLING
    font = _load_font(label.font, size)
    widths = [font.getlength(letter) for letter in label.text]
    angles = [label.angle - label.bend * (index - (len(widths) - 1) / 2) for index in range(len(widths))]
    steps = [_rotate(width + label.spacing * size, 0, angle) for width, angle in zip(widths, angles, strict=True)]
    starts = np.cumsum([np.zeros(2), *steps[:-1]], axis=0)
    starts += np.array([label.x, label.y]) * SUPERSAMPLING - (starts[-1] + _rotate(widths[-1], 0, angles[-1])) / 2
    upper, lower = [], []
    for letter, start, width, angle in zip(label.text, starts, widths, angles, strict=True):
        _draw_letter(image, letter, font, start + _rotate(width / 2, 0, angle), angle)
        upper += [start + _rotate(along, -0.42 * size, angle) for along in (0, width)]
        lower += [start + _rotate(along, 0.42 * size, angle) for along in (0, width)]
    outline = tuple((float(x) / SUPERSAMPLING, float(y) / SUPERSAMPLING) for x, y in upper + lower[::-1])
    return Word(label.text, 1.0, outline, label.angle)


def _draw_letter(image: Image.Image, letter: str, font: ImageFont.FreeTypeFont, centre: Floats, angle: float) -> None:
    side = int(font.size * 3)
    stamp = Image.new("L", (side, side))
    ImageDraw.Draw(stamp).text((side / 2, side / 2 + 0.36 * font.size), letter, fill=255, font=font, anchor="ms")
    stamp = stamp.rotate(angle, Image.Resampling.BICUBIC)
    image.paste(TEXT, (round(centre[0] - side / 2), round(centre[1] - side / 2)), stamp)


def _rotate(x: float, y: float, angle: float) -> Floats:
    """Return a vector in pixels rotated by degrees, anticlockwise as seen on the image."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([x * cos + y * sin, -x * sin + y * cos])


def _load_font(name: str, size: float) -> ImageFont.FreeTypeFont:
    """Return a font that Matplotlib ships."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")), size)
