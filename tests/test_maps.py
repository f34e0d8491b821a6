"""End-to-end tests of dp-mapsext and dp-eval --maps on a drawn map with known words."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from PIL import Image, ImageDraw

from dptools.samples import write_map
from dptools.tools.evaluate.map_scores import MapScores


@pytest.fixture(scope="module")
def map_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the map, map.png, and its words, map.geojson."""
    directory = tmp_path_factory.mktemp("map")
    write_map(directory)
    return directory


@pytest.fixture(scope="module")
def results(map_dir: Path, environment: dict[str, str]) -> Path:
    """Process the map, and return the directory with words.jsonl, masks/map.png and drawn/map@words.png."""
    import subprocess

    command = "dp-mapsext --words -o masks --overlay drawn map.png > words.jsonl"
    subprocess.run(["bash", "-c", command], cwd=map_dir, env=environment, check=True)
    return map_dir


def read_record(path: Path) -> dict[str, object]:
    record: dict[str, object] = json.loads(path.read_text())
    return record


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def words(path: Path) -> dict[str, dict[str, object]]:
    return {word["text"]: word for word in read_record(path)["mapsext"]["words"]}  # type: ignore[index]


def test_most_words_are_read_at_all_angles(results: Path, sh: Run) -> None:
    done = sh(f"cd {results} && dp-eval --maps map.geojson words.jsonl")
    (score,) = json.loads(done.stdout)["maps"]["words"]
    assert score["expected"] == 22
    assert score["read"] >= 19
    assert score["precision"] >= 0.9
    (mask,) = json.loads(done.stdout)["maps"]["masks"]
    assert mask["f"] > 0.7
    detected = words(results / "words.jsonl")
    truth = json.loads((results / "map.geojson").read_text())["features"]
    angles = {word["properties"]["text"]: word["properties"]["angle"] for word in truth}
    for name in ("Kingsford", "Windmill", "Priory", "Brook", "Copse", "Northern"):
        assert detected[name]["angle"] == pytest.approx(angles[name], abs=8)


def test_the_mask_and_the_overlay_have_the_size_of_the_map(results: Path) -> None:
    assert size(results / "masks/map.png") == size(results / "drawn/map@words.png") == size(results / "map.png")


def test_geojson_output_is_valid_ground_truth(results: Path, sh: Run) -> None:
    done = sh(f"cd {results} && dp-mapsext --format geojson -o masks map.png > again.geojson")
    assert done.returncode == 0
    score = json.loads(sh(f"cd {results} && dp-eval --maps again.geojson words.jsonl").stdout)["maps"]["words"][0]
    assert score["f"] == 1
    assert score["read"] == score["given"] == len(read_record(results / "words.jsonl")["mapsext"]["words"])  # type: ignore[index]


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """Write a small map with the words LONDON BRIDGE, and return its path."""
    image = Image.new("L", (320, 120), 230)
    ImageDraw.Draw(image).text((30, 40), "LONDON BRIDGE", fill=20, font_size=28)
    image.save(tmp_path / "sign.png")
    return tmp_path / "sign.png"


def test_all_image_modes_are_read(sign: Path, sh: Run) -> None:
    image = Image.open(sign)
    others = {mode: image.convert(mode) for mode in ("1", "L", "P", "RGBA", "CMYK")}
    others["I16"] = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    for mode, other in others.items():
        other.save(sign.with_name(f"{mode}.tif"))
    rows = csv.DictReader(sh("dp-mapsext --format csv *.tif").stdout.splitlines())
    read = [(row["map"], row["text"]) for row in rows]
    assert read == [(f"{mode}.tif", text) for mode in sorted(others) for text in ("LONDON", "BRIDGE")]


def test_text_output_works_with_standard_input(sign: Path, sh: Run) -> None:
    assert sh("dp-mapsext --format txt < sign.png").stdout == "LONDON\nBRIDGE\n"
    assert sh("ls | dp-mapsext --format txt").stdout == "LONDON\nBRIDGE\n"


def test_csv_output_has_one_header_and_bounding_boxes(sign: Path, sh: Run) -> None:
    shutil.copy(sign, sign.with_name("other.png"))
    done = sh("dp-mapsext --format csv sign.png other.png")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert [(row["map"], row["text"]) for row in rows] == [
        (name, text) for name in ("sign.png", "other.png") for text in ("LONDON", "BRIDGE")
    ]
    for row in rows:
        left, top, right, bottom = (float(row[side]) for side in ("left", "top", "right", "bottom"))
        assert 0 < left < right < 320
        assert 0 < top < bottom < 120


def test_onnx_runtime_stores_no_machine_id(sign: Path, sh: Run, environment: dict[str, str]) -> None:
    home = sign.with_name("home")
    home.mkdir()
    assert sh("dp-mapsext --format txt sign.png", env={**environment, "HOME": str(home)}).stdout == "LONDON\nBRIDGE\n"
    assert not list(home.rglob("*device*"))


def test_unreadable_files_fail_and_blank_maps_have_no_words(sign: Path, sh: Run) -> None:
    sh("printf 'not an image' > a.png; head -c 500 sign.png > b.png")
    Image.new("RGB", (1, 1), (255, 255, 255)).save(sign.with_name("c.png"))
    Image.new("RGB", (900, 3), (0, 0, 0)).save(sign.with_name("d.png"))
    done = sh("dp-mapsext --words -o out a.png b.png c.png d.png sign.png")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert ["error" in record for record in records] == [True, True, False, False, False]
    assert [len(record["mapsext"]["words"]) for record in records[2:]] == [0, 0, 2]


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(sign: Path, sh: Run) -> None:
    shutil.copy(sign, sign.with_name("other.png"))
    runs = [
        sh(f"dp-mapsext --words {engine} sign.png other.png -o out && sha256sum out/*; rm -r out").stdout.splitlines()
        for engine in ("-j 1", "-j 2", "--engine inline")
    ]
    assert [run[2:] for run in runs] == [runs[0][2:]] * 3
    assert len(runs[0]) == 4


def test_an_overlay_file_requires_a_single_map(sign: Path, sh: Run) -> None:
    assert sh("dp-mapsext --format txt --overlay overlay.jpg sign.png").returncode == 0
    assert size(sign.with_name("overlay.jpg")) == (320, 120)
    for operands in ("sign.png sign.png", "."):
        done = sh(f"dp-mapsext --format txt --overlay overlay.jpg {operands}")
        assert done.returncode == 2
        assert "--overlay overlay.jpg is one file, for one image: name a directory" in done.stderr


def test_an_overlay_never_overwrites_its_map(sign: Path, sh: Run) -> None:
    before = sign.read_bytes()
    done = sh("dp-mapsext --format txt --overlay sign.png sign.png")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "dp-mapsext: sign.png: sign.png would overwrite the input: name another file or directory\n"
    assert sign.read_bytes() == before
    assert sh("dp-mapsext --words -o . --overlay . sign.png").returncode == 1
    assert sh("dp-mapsext --words -o out --overlay out sign.png; ls out").stdout.endswith("sign.png\nsign@words.png\n")


def test_words_are_added_to_an_existing_mask(sign: Path, sh: Run) -> None:
    assert "words" not in sh("dp-mapsext -o out sign.png").stdout
    assert "LONDON" in sh("dp-mapsext --words -o out sign.png").stdout
    assert '"cached": true' in sh("dp-mapsext --words -o out sign.png").stdout


def fake_tesseract(directory: Path, script: str) -> str:
    """Install a script as ``tesseract``, and return the assignment of PATH that selects it."""
    program = directory / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f'PATH="{program.parent}:$PATH"'


def test_a_missing_tesseract_is_a_setup_error(sign: Path, sh: Run) -> None:
    done = sh('tool=$(command -v dp-mapsext); PATH= "$tool" --format txt --reader tesseract sign.png')
    assert done.returncode == 3
    assert done.stderr == (
        "dp-mapsext: tesseract is not installed: on Debian and Ubuntu it is the package tesseract-ocr\n"
    )


def test_a_missing_language_is_a_usage_error(sign: Path, sh: Run) -> None:
    path = fake_tesseract(sign.parent, "printf 'List:\\neng\\nosd\\n'")
    done = sh(f"{path} dp-mapsext --format txt --reader tesseract --lang tlh sign.png")
    assert done.returncode == 2
    assert "tesseract has no language 'tlh': choose eng, osd" in done.stderr


def test_a_failure_of_tesseract_is_reported_on_one_line(sign: Path, sh: Run) -> None:
    path = fake_tesseract(
        sign.parent, '[ "$1" = --list-langs ] && printf "List:\\neng\\n" || { echo broken >&2; exit 4; }'
    )
    done = sh(f"{path} dp-mapsext --format txt --reader tesseract-page sign.png")
    assert done.returncode == 1
    assert done.stderr == "dp-mapsext: sign.png: tesseract failed with status 4: broken\n"


@pytest.mark.skipif(not shutil.which("tesseract"), reason="tesseract is not installed")
@pytest.mark.parametrize("reader", ["tesseract", "tesseract-page"])
def test_tesseract_reads(reader: str, sign: Path, sh: Run) -> None:
    assert sh(f"dp-mapsext --format txt --reader {reader} sign.png").stdout == "LONDON\nBRIDGE\n"


def test_a_map_without_ground_truth_is_reported(results: Path, sh: Run, tmp_path: Path) -> None:
    done = sh(f"cd {results} && dp-eval --table --maps {tmp_path} words.jsonl")
    assert done.returncode == 1
    assert done.stderr == f"dp-eval: map: not scored: {tmp_path}/map.geojson: No such file or directory\n"
    assert done.stdout.startswith("attack  n")
    done = sh(f"cd {results} && dp-eval --maps nowhere words.jsonl")
    assert (done.returncode, done.stderr) == (2, "dp-eval: --maps nowhere: no such file or directory\n")


def test_a_key_missing_from_all_records_is_reported(results: Path, sh: Run) -> None:
    done = sh(f"cd {results} && dp-eval --by colour --maps map.geojson words.jsonl")
    assert (done.returncode, done.stderr) == (0, "dp-eval: --by colour: no record has this key\n")


def test_each_map_is_scored_with_its_own_ground_truth(results: Path, sh: Run, tmp_path: Path) -> None:
    records = (results / "words.jsonl").read_text()
    (tmp_path / "truth" / "a").mkdir(parents=True)
    for name in ("a/map", "all"):
        (tmp_path / "truth" / f"{name}.geojson").write_text("\ufeff" + (results / "map.geojson").read_text(), "utf-8")
    (tmp_path / "truth" / "broken.geojson").write_text("{}")
    ids = ("a/map.png", "all.png", "broken.png")
    (tmp_path / "words.jsonl").write_text(
        "".join(records.replace('"id": "map.png"', f'"id": "{name}"') for name in ids)
    )
    done = sh("dp-eval --maps truth words.jsonl")
    assert "dp-eval: broken: not scored: truth/broken.geojson: not GeoJSON with polygons" in done.stderr
    scores = json.loads(done.stdout)["maps"]["words"]
    assert [(score["map"], score["expected"]) for score in scores] == [("a/map", 22), ("all", 22), ("all", 44)]
    done = sh("dp-eval --maps truth/all.geojson words.jsonl")
    assert "all: not scored: truth/all.geojson: this is the ground truth of a/map: name a directory" in done.stderr


def test_overlays_are_not_processed_as_maps(sign: Path, sh: Run) -> None:
    sh("mkdir maps; mv sign.png maps")
    for _ in range(2):
        assert sh("dp-mapsext --format txt --overlay maps/drawn maps").stdout == "LONDON\nBRIDGE\n"
    assert [path.name for path in (sign.parent / "maps/drawn").iterdir()] == ["sign@words.png"]


@pytest.mark.slow
def test_large_capitals_are_read_next_to_small_print(sign: Path, sh: Run) -> None:
    image = Image.new("L", (700, 400), 235)
    draw = ImageDraw.Draw(image)
    draw.text((60, 40), "EMPIRE", fill=20, font_size=60)
    for row in range(8):
        draw.text((60, 160 + 25 * row), "small print below the name of a region", fill=20, font_size=13)
    image.save(sign)
    assert "EMPIRE" in sh("dp-mapsext --format txt sign.png").stdout.splitlines()


@pytest.mark.slow
def test_a_long_line_is_read_despite_a_row_of_dots(sign: Path, sh: Run) -> None:
    image = Image.new("L", (3200, 200), 235)
    draw = ImageDraw.Draw(image)
    text = "HARBOUR LIGHTS SHINE UPON THE NORTHERN SHORE OF A COUNTRY " * 2
    draw.text((40, 40), text, fill=20, font_size=28)
    for left in range(20, 3180, 12):
        draw.ellipse([left, 150, left + 7, 157], fill=20)
    image.save(sign)
    done = sh("dp-mapsext --format txt sign.png")
    assert done.returncode == 0
    output = "".join(done.stdout.split())
    assert sum(word in output for word in set(text.split())) >= 8


def test_a_lexicon_corrects_words_and_marks_them(sign: Path, sh: Run) -> None:
    sign.with_name("names.txt").write_text("Londom\nBridge\n")
    (record,) = map(json.loads, sh("dp-mapsext --words --lexicon names.txt -o out sign.png").stdout.splitlines())
    corrections = [(word["text"], word.get("corrected_from")) for word in record["mapsext"]["words"]]
    assert corrections == [("LONDOM", "LONDON"), ("BRIDGE", None)]
    sign.with_name("names.txt").write_text("London\n")
    assert "LONDOM" not in sh("dp-mapsext --words --lexicon names.txt -o out sign.png").stdout
    done = sh("dp-mapsext --words --lexicon nowhere.txt -o out sign.png")
    assert (done.returncode, done.stderr) == (2, "dp-mapsext: --lexicon nowhere.txt: no such file\n")
    assert "--lexicon has no effect unless words are read" in sh("dp-mapsext --lexicon names.txt sign.png").stderr


def test_alto_output_is_one_document_for_one_map(sign: Path, sh: Run) -> None:
    document = sh("dp-mapsext --format alto sign.png").stdout
    assert document.startswith("<?xml")
    assert 'WIDTH="320" HEIGHT="120"' in document
    assert 'CONTENT="LONDON"' in document
    done = sh("dp-mapsext --format alto sign.png sign.png")
    assert done.returncode == 2
    assert "--format alto writes one document, for one map: give one image" in done.stderr


def test_a_world_file_gives_coordinates_on_the_ground(sign: Path, sh: Run) -> None:
    sign.with_suffix(".pgw").write_text("10 0 0 -10 500000 200000")
    features = json.loads(sh("dp-mapsext --format geojson sign.png").stdout)["features"]
    points = [point for feature in features for point in feature["geometry"]["coordinates"][0]]
    assert all(500000 < x < 503200 and 198800 < y < 200000 for x, y in points)
    sign.with_suffix(".pgw").write_text("10 0 0")
    done = sh("dp-mapsext --format geojson sign.png")
    assert done.returncode == 1
    assert done.stderr == "dp-mapsext: sign.png: sign.pgw: not a world file with six numbers\n"


def test_light_text_on_a_dark_map_is_read(sign: Path, sh: Run) -> None:
    Image.eval(Image.open(sign), lambda value: 255 - value).save(sign)
    (record,) = map(json.loads, sh("dp-mapsext --words -o out sign.png").stdout.splitlines())
    assert [word["text"] for word in record["mapsext"]["words"]] == ["LONDON", "BRIDGE"]
    assert record["mapsext"]["inverted"] is True


def test_the_mask_of_a_dark_map_is_compared_with_its_light_text(tmp_path: Path) -> None:
    grey = np.full((40, 80), 30, np.uint8)
    grey[10:20, 10:30] = 220
    for name, pixels in (("map.png", grey), ("mask.png", np.where(grey > 127, 255, 0).astype(np.uint8))):
        Image.fromarray(pixels).save(tmp_path / name)
    outline = [[5, -5], [35, -5], [35, -25], [5, -25]]
    word = {"properties": {"text": "I"}, "geometry": {"type": "Polygon", "coordinates": [outline]}}
    (tmp_path / "map.geojson").write_text(json.dumps({"features": [word]}))
    paths = {"source": str(tmp_path / "map.png"), "path": str(tmp_path / "mask.png")}
    scores = MapScores(tmp_path / "map.geojson", pytest.fail)
    list(scores.observe([{"id": "map.png", **paths, "mapsext": {"rule": "otsu", "inverted": True}}]))
    (mask,) = scores.as_json()["masks"]
    assert (mask["precision"], mask["recall"]) == (1, 1)
