"""Tests of the options of dp-mapsext."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from dptools.errors import UsageError
from dptools.pipe.sample import Sample
from dptools.tools.mapsext.ocr_options import OcrOptions
from dptools.tools.mapsext.options import MapsextOptions

WORD = {"text": "Rolla", "confidence": 0.9, "angle": 0.0, "polygon": [[1, 2], [9, 2], [9, 6], [1, 6]]}


@pytest.mark.parametrize(
    ("options", "enabled"),
    [({}, False), ({"words": True}, True), ({"output_format": "csv"}, True), ({"overlay": Path("words")}, True)],
)
def test_output_formats_and_overlays_imply_reading(options: dict[str, Any], enabled: bool) -> None:
    ocr = OcrOptions(**options)
    assert ocr.enabled == enabled
    assert bool(ocr.cache_params) == enabled


@pytest.mark.parametrize("options", [{"reader": "tesseract"}, {"language": "deu"}, {"scale": 3.0}])
def test_options_for_reading_require_reading(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="has no effect unless words are read: add --words"):
        OcrOptions(**options)
    assert OcrOptions(words=True, **options).enabled


def test_the_scale_belongs_in_the_cache_key_unless_the_reader_ignores_it() -> None:
    assert OcrOptions(words=True).cache_params["scale"] == 2.0
    assert "scale" not in OcrOptions(words=True, reader="tesseract-page").cache_params


@pytest.mark.parametrize("words", [True, False])
def test_the_georeference_belongs_in_the_cache_key_if_words_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: bool
) -> None:
    from dptools.tools.mapsext import processor

    monkeypatch.setattr(processor, "load_reader", lambda *_: object())
    extractor = processor.MapTextExtractor("letters", None, OcrOptions(words), torch.device("cpu"), 0)
    item = Sample({"id": "map.png", "source": str(tmp_path / "map.png")})
    params = []
    for place in (None, 100, 200):
        if place:
            (tmp_path / "map.pgw").write_text(f"1\n0\n0\n-1\n{place}\n0\n")
        params.append(json.dumps(extractor.params(item)))
    assert len(set(params)) == (3 if words else 1)


def test_an_overlay_is_a_file_or_a_directory_by_its_suffix(tmp_path: Path) -> None:
    file = MapsextOptions(ocr=OcrOptions(overlay=Path("words.PNG")))
    assert (file.single_image_reason, file.extra_directories) == (
        "--overlay words.PNG is one file, for one image: name a directory",
        (),
    )
    directory = MapsextOptions(ocr=OcrOptions(overlay=Path("words")))
    assert (directory.single_image_reason, directory.extra_directories) == (None, (Path("words"),))
    with pytest.raises(UsageError, match=r"name a directory, or a file that ends in \.png, "):
        OcrOptions(overlay=tmp_path / "words.gif")
    (tmp_path / "words.gif").mkdir()
    assert OcrOptions(overlay=tmp_path / "words.gif").overlay_directory


def test_only_the_method_paper_has_iterations_and_a_seed() -> None:
    assert MapsextOptions("paper", iterations=9, run_seed=3).seed == 3
    assert MapsextOptions("otsu", run_seed=3).seed is None
    with pytest.raises(UsageError, match="--iterations 9 requires --rule paper"):
        MapsextOptions("otsu", iterations=9)


def test_text_formats() -> None:
    record = {"id": "a.png", "mapsext": {"words": [WORD]}}

    def format_twice(name: str) -> list[str]:
        formatter = MapsextOptions(ocr=OcrOptions(output_format=name)).text
        assert formatter is not None
        return [formatter(record), formatter(record)]

    assert MapsextOptions().text is None
    assert format_twice("txt") == ["Rolla\n", "Rolla\n"]
    row = "a.png,Rolla,0.9,0.0,1,2,9,6\n"
    assert format_twice("csv") == [f"map,text,confidence,angle,left,top,right,bottom\n{row}", row]
    assert '"properties": {"text": "Rolla"' in format_twice("geojson")[1]
