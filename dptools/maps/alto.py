"""Words of a map as ALTO XML, the format of libraries for recognised text (version 4.4)."""

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from dptools.maps.outlines import bounding_box

NAMESPACE = "http://www.loc.gov/standards/alto/ns-v4#"


def alto(words: Iterable[Mapping[str, Any]], *, file_name: str, width: int, height: int) -> str:
    """Return an ALTO document with one text block per word, because words on a map have no common reading order.

    Source: https://www.loc.gov/standards/alto/

    Args:
        words: Words of a record. The polygon becomes the shape of the word.
        file_name: Name of the image.
        width: Width of the image in pixels.
        height: Height of the image in pixels.
    """
    root = ElementTree.Element("alto", {"xmlns": NAMESPACE, "SCHEMAVERSION": "4.4"})
    description = ElementTree.SubElement(root, "Description")
    ElementTree.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ElementTree.SubElement(description, "sourceImageInformation")
    ElementTree.SubElement(source, "fileName").text = _valid(file_name)
    size = {"WIDTH": str(width), "HEIGHT": str(height)}
    page = ElementTree.SubElement(
        ElementTree.SubElement(root, "Layout"), "Page", {"ID": "page", "PHYSICAL_IMG_NR": "1", **size}
    )
    space = ElementTree.SubElement(page, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    for number, word in enumerate(words, 1):
        _add_word(space, number, word)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _add_word(space: ElementTree.Element, number: int, word: Mapping[str, Any]) -> None:
    left, top, right, bottom = bounding_box(word["polygon"])
    box = {"HPOS": left, "VPOS": top, "WIDTH": right - left, "HEIGHT": bottom - top}
    place = {name: f"{value:.1f}" for name, value in box.items()}
    rotation = {"ROTATION": str(word["angle"])}
    block = ElementTree.SubElement(space, "TextBlock", {"ID": f"block{number}", **place, **rotation})
    line = ElementTree.SubElement(block, "TextLine", {"ID": f"line{number}", **place})
    content = {"CONTENT": _valid(word["text"]), "WC": str(word["confidence"])}
    string = ElementTree.SubElement(line, "String", {"ID": f"string{number}", **place, **content})
    points = " ".join(f"{x},{y}" for x, y in word["polygon"])
    ElementTree.SubElement(ElementTree.SubElement(string, "Shape"), "Polygon", {"POINTS": points})


def _valid(text: str) -> str:
    """Return a text without characters that XML does not allow."""
    return "".join(char if char in "\t\n" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
