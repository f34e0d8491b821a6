"""dp-mapsext and dp-eval --maps as a user runs them, on a drawn map with known words."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from PIL import Image, ImageDraw

from dptools.samples import write_map


@pytest.fixture(scope="module")
def country(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the map, map.png, and its words, map.geojson."""
    directory = tmp_path_factory.mktemp("country")
    write_map(directory)
    return directory


@pytest.fixture(scope="module")
def read(country: Path, environment: dict[str, str]) -> Path:
    """The map read: words.jsonl, masks/map.png and drawn/map@words.png."""
    import subprocess

    command = "dp-mapsext --words -o masks --overlay drawn map.png > words.jsonl"
    subprocess.run(["bash", "-c", command], cwd=country, env=environment, check=True)
    return country


def record(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text())
    return found


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def words(path: Path) -> dict[str, dict[str, object]]:
    return {word["text"]: word for word in record(path)["mapsext"]["words"]}  # type: ignore[index]


def test_most_words_are_read_at_any_angle(read: Path, sh: Run) -> None:
    done = sh(f"cd {read} && dp-eval --maps map.geojson words.jsonl")
    (score,) = json.loads(done.stdout)["maps"]["words"]
    assert score["expected"] == 22
    assert score["read"] >= 15
    assert score["precision"] >= 0.7
    (mask,) = json.loads(done.stdout)["maps"]["masks"]
    assert mask["f"] > 0.7
    found = words(read / "words.jsonl")
    known = json.loads((read / "map.geojson").read_text())["features"]
    angles = {word["properties"]["text"]: word["properties"]["angle"] for word in known}
    for name in ("Kingsford", "Windmill", "Priory", "Brook", "Copse", "Northern"):
        assert found[name]["angle"] == pytest.approx(angles[name], abs=8)


def test_the_mask_and_the_drawing_have_the_maps_size(read: Path) -> None:
    assert size(read / "masks/map.png") == size(read / "drawn/map@words.png") == size(read / "map.png")


def test_words_as_geojson_are_ground_truth_themselves(read: Path, sh: Run) -> None:
    done = sh(f"cd {read} && dp-mapsext --format geojson -o masks map.png > again.geojson")
    assert done.returncode == 0
    score = json.loads(sh(f"cd {read} && dp-eval --maps again.geojson words.jsonl").stdout)["maps"]["words"][0]
    assert score["f"] == 1
    assert score["read"] == score["given"] == len(record(read / "words.jsonl")["mapsext"]["words"])  # type: ignore[index]


@pytest.fixture
def sign(tmp_path: Path) -> Path:
    """A small map that says LONDON BRIDGE."""
    image = Image.new("L", (320, 120), 230)
    ImageDraw.Draw(image).text((30, 40), "LONDON BRIDGE", fill=20, font_size=28)
    image.save(tmp_path / "sign.png")
    return tmp_path / "sign.png"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16"])
def test_any_kind_of_image_can_be_read(mode: str, sign: Path, sh: Run) -> None:
    image = Image.open(sign)
    odd = Image.fromarray(np.asarray(image).astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    odd.save(sign.with_name("odd.tif"))
    assert sh("dp-mapsext --format txt odd.tif").stdout == "LONDON\nBRIDGE\n"


def test_texts_come_from_standard_input_too(sign: Path, sh: Run) -> None:
    assert sh("dp-mapsext --format txt < sign.png").stdout == "LONDON\nBRIDGE\n"
    assert sh("ls | dp-mapsext --format txt").stdout == "LONDON\nBRIDGE\n"


def test_words_as_csv_have_one_head_and_their_boxes(sign: Path, sh: Run) -> None:
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


def test_reading_tells_nobody_and_keeps_no_id_of_the_machine(sign: Path, sh: Run, environment: dict[str, str]) -> None:
    home = sign.with_name("home")
    home.mkdir()
    assert sh("dp-mapsext --format txt sign.png", env={**environment, "HOME": str(home)}).stdout == "LONDON\nBRIDGE\n"
    assert not list(home.rglob("*device*"))


def test_what_is_no_map_gives_nothing_and_the_stream_goes_on(sign: Path, sh: Run) -> None:
    sh("printf 'no image' > a.png; head -c 500 sign.png > b.png")
    Image.new("RGB", (1, 1), (255, 255, 255)).save(sign.with_name("c.png"))
    Image.new("RGB", (900, 3), (0, 0, 0)).save(sign.with_name("d.png"))
    done = sh("dp-mapsext --words -o out a.png b.png c.png d.png sign.png")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    assert ["error" in each for each in records] == [True, True, False, False, False]
    assert [len(each["mapsext"]["words"]) for each in records[2:]] == [0, 0, 2]


@pytest.mark.slow
def test_what_is_read_does_not_hang_on_the_workers(sign: Path, sh: Run) -> None:
    shutil.copy(sign, sign.with_name("other.png"))
    runs = [
        sh(f"dp-mapsext --words {way} sign.png other.png -o out && sha256sum out/*; rm -r out").stdout.splitlines()
        for way in ("-j 1", "-j 2", "--engine inline")
    ]
    assert [run[2:] for run in runs] == [runs[0][2:]] * 3
    assert len(runs[0]) == 4


def test_one_overlay_file_is_for_one_map(sign: Path, sh: Run) -> None:
    assert sh("dp-mapsext --format txt --overlay seen.jpg sign.png").returncode == 0
    assert size(sign.with_name("seen.jpg")) == (320, 120)
    for several in ("sign.png sign.png", "."):
        done = sh(f"dp-mapsext --format txt --overlay seen.jpg {several}")
        assert done.returncode == 2
        assert "--overlay seen.jpg is one file, for one image: name a directory" in done.stderr


def test_an_overlay_never_overwrites_its_map(sign: Path, sh: Run) -> None:
    before = sign.read_bytes()
    done = sh("dp-mapsext --format txt --overlay sign.png sign.png")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "dp-mapsext: sign.png: the overlay sign.png would overwrite the map\n"
    assert sign.read_bytes() == before
    assert sh("dp-mapsext --words -o . --overlay . sign.png").returncode == 1
    assert sh("dp-mapsext --words -o out --overlay out sign.png; ls out").stdout.endswith("sign.png\nsign@words.png\n")


def test_words_are_read_where_only_the_mask_was_there(sign: Path, sh: Run) -> None:
    assert "words" not in sh("dp-mapsext -o out sign.png").stdout
    assert "LONDON" in sh("dp-mapsext --words -o out sign.png").stdout
    assert '"cached": true' in sh("dp-mapsext --words -o out sign.png").stdout


def fake_tesseract(directory: Path, script: str) -> str:
    """A PATH on which Tesseract is this script."""
    program = directory / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return f'PATH="{program.parent}:$PATH"'


def test_without_tesseract_the_package_is_named(sign: Path, sh: Run) -> None:
    done = sh('tool=$(command -v dp-mapsext); PATH= "$tool" --format txt --reader tesseract sign.png')
    assert done.returncode == 3
    assert done.stderr == (
        "dp-mapsext: tesseract is not installed: on Debian and Ubuntu it is the package tesseract-ocr\n"
    )


def test_a_language_that_tesseract_lacks_is_said(sign: Path, sh: Run) -> None:
    path = fake_tesseract(sign.parent, "printf 'List:\\neng\\nosd\\n'")
    done = sh(f"{path} dp-mapsext --format txt --reader tesseract --lang tlh sign.png")
    assert done.returncode == 2
    assert "tesseract has no language 'tlh': choose eng, osd" in done.stderr


def test_a_tesseract_that_fails_is_one_line(sign: Path, sh: Run) -> None:
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


def test_maps_without_ground_truth_are_named(read: Path, sh: Run, tmp_path: Path) -> None:
    done = sh(f"cd {read} && dp-eval --table --maps {tmp_path} words.jsonl")
    assert done.returncode == 1
    assert done.stderr == f"dp-eval: map: not scored: {tmp_path}/map.geojson: No such file or directory\n"
    assert done.stdout.startswith("attack  n")
    done = sh(f"cd {read} && dp-eval --maps nowhere words.jsonl")
    assert (done.returncode, done.stderr) == (2, "dp-eval: --maps nowhere: no such file or directory\n")


def test_a_key_that_no_map_has_is_told(read: Path, sh: Run) -> None:
    done = sh(f"cd {read} && dp-eval --by colour --maps map.geojson words.jsonl")
    assert (done.returncode, done.stderr) == (0, "dp-eval: --by colour: no record has this key\n")


def test_every_map_is_scored_by_its_own_words(read: Path, sh: Run, tmp_path: Path) -> None:
    words = (read / "words.jsonl").read_text()
    (tmp_path / "truth" / "a").mkdir(parents=True)
    for name in ("a/map", "all"):
        (tmp_path / "truth" / f"{name}.geojson").write_text("\ufeff" + (read / "map.geojson").read_text(), "utf-8")
    (tmp_path / "truth" / "broken.geojson").write_text("{}")
    ids = ("a/map.png", "all.png", "broken.png")
    (tmp_path / "words.jsonl").write_text("".join(words.replace('"id": "map.png"', f'"id": "{name}"') for name in ids))
    done = sh("dp-eval --maps truth words.jsonl")
    assert "dp-eval: broken: not scored: truth/broken.geojson: not GeoJSON with polygons" in done.stderr
    scores = json.loads(done.stdout)["maps"]["words"]
    assert [(score["map"], score["expected"]) for score in scores] == [("a/map", 22), ("all", 22), ("all", 44)]
    done = sh("dp-eval --maps truth/all.geojson words.jsonl")
    assert "all: not scored: truth/all.geojson: it is that of a/map; name a directory" in done.stderr


def test_overlays_are_not_read_as_maps(sign: Path, sh: Run) -> None:
    sh("mkdir maps; mv sign.png maps")
    for _ in range(2):
        assert sh("dp-mapsext --format txt --overlay maps/drawn maps").stdout == "LONDON\nBRIDGE\n"
    assert [path.name for path in (sign.parent / "maps/drawn").iterdir()] == ["sign@words.png"]


@pytest.mark.slow
def test_large_capitals_are_read_beside_small_print(sign: Path, sh: Run) -> None:
    image = Image.new("L", (700, 400), 235)
    draw = ImageDraw.Draw(image)
    draw.text((60, 40), "EMPIRE", fill=20, font_size=60)
    for row in range(8):
        draw.text((60, 160 + 25 * row), "small print below the name of a region", fill=20, font_size=13)
    image.save(sign)
    assert "EMPIRE" in sh("dp-mapsext --format txt sign.png").stdout.splitlines()


@pytest.mark.slow
def test_a_long_line_is_read_and_a_row_of_dots_does_no_harm(sign: Path, sh: Run) -> None:
    image = Image.new("L", (3200, 200), 235)
    draw = ImageDraw.Draw(image)
    text = "HARBOUR LIGHTS SHINE UPON THE NORTHERN SHORE OF A COUNTRY " * 2
    draw.text((40, 40), text, fill=20, font_size=28)
    for left in range(20, 3180, 12):
        draw.ellipse([left, 150, left + 7, 157], fill=20)
    image.save(sign)
    done = sh("dp-mapsext --format txt sign.png")
    assert done.returncode == 0
    read = "".join(done.stdout.split())
    assert sum(word in read for word in set(text.split())) >= 8
