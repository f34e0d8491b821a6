"""Georeference of a map: from pixels to coordinates on the ground, read from a GeoTIFF or a world file."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

GEOTIFF_SUFFIXES = (".tif", ".tiff")

LONGITUDE_LATITUDE = "OGC:CRS84"
"""The coordinate reference system of GeoJSON (RFC 7946): WGS 84 longitude and latitude in degrees."""

Georeference = Mapping[str, Any]
"""A mapping with these keys. ``transform``: the six numbers a, b, c, d, e and f with x = a * column + b * row + c and
y = d * column + e * row + f, where column 0 and row 0 are the centre of the upper left pixel. ``crs``: the coordinate
reference system of x and y, or None if it is unknown. ``source``: the name of the file."""


def read_georeference(image: Path) -> Georeference | None:
    """Return the georeference of an image, or None if it has none.

    A GeoTIFF needs the package rasterio. Otherwise a world file is read, as ``map.pgw`` or ``map.wld`` for ``map.png``.

    Raises:
        ValueError: The world file does not hold six numbers, or its transform is singular.
    """
    return (_read_geotiff(image) if image.suffix.lower() in GEOTIFF_SUFFIXES else None) or _read_world_file(image)


def ground_points(points: Iterable[tuple[float, float]], georeference: Georeference) -> list[list[float]]:
    """Return columns and rows as x and y: longitude and latitude if the reference system is known."""
    a, b, c, d, e, f = georeference["transform"]
    placed = [(a * column + b * row + c, d * column + e * row + f) for column, row in points]
    if georeference["crs"] in (None, LONGITUDE_LATITUDE):
        return [list(point) for point in placed]
    from rasterio.warp import transform

    longitudes, latitudes = transform(georeference["crs"], LONGITUDE_LATITUDE, *zip(*placed, strict=True))
    return [list(point) for point in zip(longitudes, latitudes, strict=True)]


def _read_geotiff(image: Path) -> Georeference | None:
    import warnings

    if not image.is_file():  # A record can name anything, and GDAL opens more than files, such as /vsicurl/URL.
        return None
    try:
        import rasterio
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A TIFF without a georeference is no reason for a warning.
        try:
            with rasterio.open(image, driver="GTiff") as dataset:
                matrix, crs = dataset.transform, dataset.crs
        except rasterio.errors.RasterioError:
            return None
    if matrix.is_identity:
        return None
    a, b, c, d, e, f = matrix[:6]
    transform = [a, b, c + (a + b) / 2, d, e, f + (d + e) / 2]  # GDAL counts from the corner of a pixel.
    return {"transform": transform, "crs": crs.to_string() if crs else None, "source": image.name}


def _read_world_file(image: Path) -> Georeference | None:
    path = next(filter(Path.is_file, _world_files(image)), None)
    if path is None:
        return None
    try:
        a, d, b, e, c, f = map(float, path.read_text("ascii").split())
    except (ValueError, OSError):
        raise ValueError(f"{path.name}: not a world file with six numbers") from None
    if not all(map(math.isfinite, (a, d, b, e, c, f))) or not a * e - b * d:
        raise ValueError(f"{path.name}: these numbers give no place for each pixel")
    return {"transform": [a, b, c, d, e, f], "crs": None, "source": path.name}


def _world_files(image: Path) -> Iterator[Path]:
    """Yield possible names of a world file: for ``map.png``, ``map.pgw``, ``map.pngw`` and ``map.wld``."""
    suffix = image.suffix
    if len(suffix) > 2:
        for name in (f".{suffix[1]}{suffix[-1]}w", f"{suffix}w", ".wld"):
            yield image.with_suffix(name)
            yield image.with_suffix(name.upper())
