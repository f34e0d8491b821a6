"""Names of rules, readers and formats, without what they load."""

RULES = ("letters", "paper", "otsu", "sauvola")
"""See :mod:`dptools.maps.masks`."""

READERS = ("rapidocr", "tesseract", "tesseract-page")
"""See :mod:`dptools.maps.loading`; the last is Tesseract alone on the map as it is, to compare with."""

FORMATS = ("jsonl", "geojson", "csv", "txt")
