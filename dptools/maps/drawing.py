"""A map of a country that there is not, with contour lines, a river, a railway, and words at known places."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dptools.maps.words import Word

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 960, 720
PAPER, INK, CONTOUR, WATER = (236, 231, 216), (48, 44, 40), (188, 160, 124), (112, 136, 150)
FINER = 3
"""The map is drawn so many times as large, for smooth lines."""


@dataclass(frozen=True)
class Label:
    """A word to be written: its middle and size in pixels, its angle in degrees anticlockwise, how far its letters
    stand apart in parts of the size, and the bend of its line in degrees a letter."""

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


def draw_map(seed: int = 0) -> "tuple[Pixels, list[Word]]":
    """The map, H x W x 3, and its words.

    Args:
        seed: of the terrain and the paper's grain.
    """
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (WIDTH * FINER, HEIGHT * FINER), PAPER)
    draw = ImageDraw.Draw(image)
    for line in _contours(random):
        draw.line(line, fill=CONTOUR, width=FINER)
    _river(draw)
    _railway(draw)
    words = [_write(image, label) for label in LABELS]
    small = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS), np.float32)
    grain = random.normal(0, 4, (HEIGHT, WIDTH, 1))
    return (small + grain).clip(0, 255).astype(np.uint8), words


def _contours(random: np.random.Generator) -> Iterator[list[tuple[float, float]]]:
    from scipy.ndimage import gaussian_filter
    from skimage.measure import find_contours

    terrain = gaussian_filter(random.normal(size=(HEIGHT // 4, WIDTH // 4)), 18, mode="reflect")
    for level in np.quantile(terrain, np.linspace(0.1, 0.9, 9)):
        for line in find_contours(terrain, level):
            yield [(x * 4 * FINER, y * 4 * FINER) for y, x in line]


def _river(draw: ImageDraw.ImageDraw) -> None:
    y = np.linspace(0, HEIGHT, 200)
    x = 575 - 0.35 * (y - 330) + 45 * np.sin(y / 70)
    draw.line([(a * FINER, b * FINER) for a, b in zip(x, y, strict=True)], fill=WATER, width=4 * FINER)


def _railway(draw: ImageDraw.ImageDraw) -> None:
    x = np.linspace(0, WIDTH, 120)
    y = 585 + 95 * np.sin(x / 260)
    line = [(a * FINER, b * FINER) for a, b in zip(x, y, strict=True)]
    draw.line(line, fill=INK, width=2 * FINER)
    for (a, b), (c, d) in zip(line[::2], line[1::2], strict=False):
        length = math.hypot(c - a, d - b)
        across = (-(d - b) / length * 5 * FINER, (c - a) / length * 5 * FINER)
        draw.line([(a - across[0], b - across[1]), (a + across[0], b + across[1])], fill=INK, width=FINER)


def _write(image: Image.Image, label: Label) -> Word:
    """Write a label letter by letter along its line."""
    font = _font(label.font, label.size * FINER)
    size, widths = label.size * FINER, [font.getlength(letter) for letter in label.text]
    angles = [label.angle - label.bend * (place - (len(widths) - 1) / 2) for place in range(len(widths))]
    steps = [_turned(width + label.spacing * size, 0, angle) for width, angle in zip(widths, angles, strict=True)]
    places = np.cumsum([np.zeros(2), *steps[:-1]], axis=0)
    places += np.array([label.x, label.y]) * FINER - (places[-1] + _turned(widths[-1], 0, angles[-1])) / 2
    above, below = [], []
    for letter, place, width, angle in zip(label.text, places, widths, angles, strict=True):
        _stamp(image, letter, font, place + _turned(width / 2, 0, angle), angle)
        above += [place + _turned(along, -0.42 * size, angle) for along in (0, width)]
        below += [place + _turned(along, 0.42 * size, angle) for along in (0, width)]
    outline = tuple((float(x) / FINER, float(y) / FINER) for x, y in above + below[::-1])
    return Word(label.text, 1.0, outline, label.angle)


def _stamp(
    image: Image.Image, letter: str, font: ImageFont.FreeTypeFont, place: "NDArray[np.float64]", angle: float
) -> None:
    side = int(font.size * 3)
    stamp = Image.new("L", (side, side))
    ImageDraw.Draw(stamp).text((side / 2, side / 2 + 0.36 * font.size), letter, fill=255, font=font, anchor="ms")
    stamp = stamp.rotate(angle, Image.Resampling.BICUBIC)
    image.paste(INK, (round(place[0] - side / 2), round(place[1] - side / 2)), stamp)


def _turned(x: float, y: float, angle: float) -> "NDArray[np.float64]":
    """A vector in pixels, turned anticlockwise as one sees it."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([x * cos + y * sin, -x * sin + y * cos])


def _font(name: str, size: float) -> ImageFont.FreeTypeFont:
    """One of those that Matplotlib ships."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")), size)
