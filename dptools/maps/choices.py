"""Names of mask methods, readers and formats. This module imports nothing, so that help texts load fast."""

MASK_METHODS = ("letters", "paper", "otsu", "sauvola")
"""The methods are implemented in :mod:`dptools.maps.masks`."""

READERS = ("rapidocr", "tesseract", "tesseract-page")
"""The readers are loaded by :func:`dptools.maps.load_reader`. The first is the default; the last is a baseline that
runs Tesseract on the whole map, without line detection."""

FORMATS = ("jsonl", "geojson", "alto", "csv", "txt")
"""The output formats for words. The first is the default."""
