"""Readers by their names."""

from dptools.errors import check_name
from dptools.maps.names import READERS
from dptools.maps.readers import PageReader, Reader


def load_reader(name: str, language: str = "eng") -> Reader | PageReader:
    """A reader by its name.

    Args:
        language: as Tesseract calls it.

    Raises:
        UsageError: there is no such reader, or no such language.
        SetupError: its program is not installed.
    """
    check_name("reader", name, READERS)
    if name == "rapidocr":
        from dptools.maps.rapidocr import RapidReader

        return RapidReader(language)
    from dptools.maps.tesseract import TesseractPage, TesseractReader, check_tesseract

    check_tesseract(language)
    return TesseractReader(language) if name == "tesseract" else TesseractPage(language)
