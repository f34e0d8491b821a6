"""Tests of the correction of words by a lexicon."""

from pathlib import Path

import pytest

from dptools.errors import UsageError
from dptools.maps.lexicon import Lexicon, load_lexicon


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Stoutlund", "Stoutland"),  # one wrong letter
        ("stoutlund", "stoutland"),
        ("(STOUTLUND).", "(STOUTLAND)."),
        ("lipsburg", "lipsburg"),  # three letters are missing from eleven
        ("hillipsburg", "Phillipsburg"),
        ("Plalns", "Plains"),
        ("Rola", "Rolla"),
        ("Hil", "Hil"),  # too short
        ("Salem", "Salem"),
        ("Camden", "Camden"),  # both Camdon and Camdan are near
        ("...", "..."),
    ],
)
def test_near_misses_become_the_nearest_name(text: str, expected: str) -> None:
    lexicon = Lexicon(["Stoutland", "Phillipsburg", "West Plains", "Rolla", "Hill", "Salem", "Camdon", "Camdan"])
    corrected = lexicon.correct(text)
    assert corrected.casefold() == expected.casefold()
    assert corrected.isupper() == text.isupper()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("McDonald", "McDonaId.", "McDonald."),
        ("McDonald", "MCDONAID", "MCDONALD"),
        ("Straßburg", "Straßburk,", "Straßburg,"),
        ("Strassburg", "(Straßburk),", "(Strassburg),"),
        ("İzmir", "»İzmis«", "»İzmir«"),
        ("ROLLA", "Rola", "Rolla"),
        ("rolla", "Rola", "Rolla"),
    ],
)
def test_a_correction_keeps_the_spelling_of_the_name_and_the_punctuation(name: str, text: str, expected: str) -> None:
    assert Lexicon([name]).correct(text) == expected


def test_a_lexicon_is_a_text_file_with_a_name_per_line(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\ufeffWest Plains\n\nRolla\n", "utf-8")
    assert load_lexicon(path).correct("Plalns") == "Plains"


@pytest.mark.parametrize(("data", "reason"), [(b"\n", "no names in it"), (b"\xff", "not UTF-8 text")])
def test_a_useless_lexicon_is_a_usage_error(data: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=reason):
        load_lexicon(path)
    with pytest.raises(UsageError, match="No such file"):
        load_lexicon(tmp_path / "nowhere.txt")
