"""Load a reader by its name."""

from dptools.errors import check_name
from dptools.maps.choices import READERS
from dptools.maps.readers import LineReader, PageReader


def load_reader(name: str, language: str = "eng") -> LineReader | PageReader:
    """Return a reader.

    Args:
        name: One of :data:`dptools.maps.READERS`.
        language: One or several of Tesseract's language codes, joined by ``+``.

    Raises:
        UsageError: The reader or the language is unknown.
        SetupError: The reader's program is not installed.
    """
    check_name("reader", name, READERS)
    if name == "rapidocr":
        from dptools.maps.rapidocr import RapidOcrReader

        return RapidOcrReader(language)
    from dptools.maps.tesseract import TesseractPageReader, TesseractReader, check_tesseract

    check_tesseract(language)
    return TesseractReader(language) if name == "tesseract" else TesseractPageReader(language)
