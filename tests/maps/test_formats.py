"""Tests of output formats and georeferences."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from dptools.maps.alto import NAMESPACE, alto
from dptools.maps.formats import geojson
from dptools.maps.georeference import read_georeference

WORD = {
    "text": "Kings & Queens",
    "confidence": 0.93,
    "angle": 12.5,
    "polygon": [[10, 20], [60, 10], [62, 22], [12, 32]],
}


def ring(word: dict[str, Any], georeference: Any) -> list[list[float]]:
    points: list[list[float]] = json.loads(geojson([word], georeference))["features"][0]["geometry"]["coordinates"][0]
    return points


def area(points: list[list[float]]) -> float:
    """Return the area of a closed ring, positive if it is anticlockwise."""
    x, y = np.array(points).T
    return float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2)


def test_alto_has_the_place_shape_and_confidence_of_each_word() -> None:
    root = ElementTree.fromstring(alto([WORD, WORD], file_name="a\x00<b>.png", width=100, height=80))
    names = {"a": NAMESPACE}
    assert root.findtext(".//a:fileName", namespaces=names) == "a\ufffd<b>.png"
    page = root.find(".//a:Page", names)
    assert page is not None
    assert (page.get("WIDTH"), page.get("HEIGHT")) == ("100", "80")
    strings = root.findall(".//a:PrintSpace/a:TextBlock/a:TextLine/a:String", names)
    assert [string.get("CONTENT") for string in strings] == ["Kings & Queens"] * 2
    assert [strings[0].get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT", "WC")] == [
        "10.0", "10.0", "52.0", "22.0", "0.93",
    ]  # fmt: skip
    polygon = strings[0].find("a:Shape/a:Polygon", names)
    assert polygon is not None
    assert polygon.get("POINTS") == "10,20 60,10 62,22 12,32"
    ids = [element.get("ID") for element in root.iter() if element.get("ID")]
    assert len(ids) == len(set(ids))
    assert root.findall(".//a:TextBlock", names)[0].get("ROTATION") == "12.5"


@pytest.mark.parametrize("name", ["map.pgw", "map.pngw", "map.wld", "map.PGW"])
def test_a_world_file_places_words_on_the_ground(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("2.5\n0\n0\n-2.5\n400000\n300000\n")
    georeference = read_georeference(tmp_path / "map.png")
    assert georeference is not None
    assert (georeference["source"], georeference["crs"]) == (name, None)
    points = ring(WORD, georeference)
    assert [400000 + 2.5 * 10, 300000 - 2.5 * 20] in points
    assert points[0] == points[-1]
    assert area(points) > 0


def test_rings_are_anticlockwise_on_mirrored_maps_too() -> None:
    for e in (1, -1):
        assert area(ring(WORD, {"transform": [1, 0, 0, 0, e, 0], "crs": None})) > 0
    assert area(ring(WORD, None)) > 0


@pytest.mark.parametrize("text", ["", "1 2 3", "a b c d e f", "0 0 0 0 5 5", "nan 0 0 1 0 0"])
def test_a_bad_world_file_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "map.jgw").write_text(text)
    with pytest.raises(ValueError, match=r"^map\.jgw: "):
        read_georeference(tmp_path / "map.jpg")


def test_images_without_georeference_have_none(tmp_path: Path) -> None:
    assert read_georeference(tmp_path / "map.png") is None
    assert read_georeference(tmp_path / "map") is None
    assert read_georeference(tmp_path / "map.tif") is None


def write_geotiff(path: Path) -> None:
    """Write a GeoTIFF with 10 m pixels of the British National Grid; (400000, 300000) is near 52.6 N, 2.0 W."""
    rasterio = pytest.importorskip("rasterio")
    place = rasterio.Affine(10, 0, 400000, 0, -10, 300000)
    profile = {"driver": "GTiff", "width": 100, "height": 80, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs="EPSG:27700", transform=place) as dataset:
        dataset.write(np.zeros((1, 80, 100), np.uint8))


def test_words_on_a_geotiff_have_longitude_and_latitude(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    write_geotiff(path)
    georeference = read_georeference(path)
    assert georeference is not None
    assert georeference["crs"] == "EPSG:27700"
    assert georeference["transform"] == [10, 0, 400005, 0, -10, 299995]
    longitudes, latitudes = np.array(ring(WORD, georeference)).T
    assert longitudes == pytest.approx(-1.999, abs=0.01)
    assert latitudes == pytest.approx(52.596, abs=0.01)


def test_a_plain_tiff_has_no_georeference(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    from PIL import Image

    Image.new("L", (20, 20)).save(tmp_path / "map.tif")
    assert read_georeference(tmp_path / "map.tif") is None
    assert not recwarn


def test_the_name_of_a_tiff_cannot_make_gdal_open_something_else(tmp_path: Path) -> None:
    path, other = tmp_path / "map.tif", tmp_path / "other.tif"
    write_geotiff(path)
    pytest.importorskip("rasterio.shutil").copy(path, other, driver="VRT")
    assert read_georeference(path)
    assert read_georeference(other) is None  # a list of other files and URLs, whatever its suffix
    assert read_georeference(Path(f"/vsisubfile/0,{path}")) is None  # as /vsicurl/URL.tif, which is downloaded
