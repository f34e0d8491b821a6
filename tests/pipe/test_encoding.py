"""Files of all formats: they decode everywhere, hold the record and, on request, the metadata of the input."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from dptools.errors import SampleError
from dptools.pipe.encoding import encode
from dptools.pipe.file_formats import FileInfo, FileOptions, parse_format
from dptools.pipe.image import decode, embedded_record

RECORD = {"schema": 2, "id": "n01/a.jpg@gs", "source": "/home/me/n01/a.jpg", "label": 3}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="Dog"/></x:xmpmeta>'
PIXELS = np.asarray(Image.linear_gradient("L").resize((48, 32)).convert("RGB"))


def options(name: str, **changes: Any) -> FileOptions:
    return replace(FileOptions(parse_format(name)), **changes)


def photo(kind: str = "JPEG", **settings: Any) -> bytes:
    """Return a photograph that a phone has taken upright, which its sensor reads sideways."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "Maker"
    exif.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base.ExifImageWidth: 48, ExifTags.Base.ColorSpace: 65535})
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, exif=exif, xmp=XMP, icc_profile=profile, **settings)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["png", "jpeg", "jpeg:30", "webp", "webp:60"])
@pytest.mark.parametrize("extra", ["", "x" * 200_000], ids=["short", "long"])
def test_every_format_holds_the_record_and_the_picture(name: str, extra: str) -> None:
    data = encode(PIXELS, {**RECORD, "ours": extra}, options(name))
    decoded = decode(data)
    assert decoded.record is not None
    assert (decoded.record["label"], decoded.record["ours"]) == (3, extra)
    assert embedded_record(data) == decoded.record
    assert np.abs(decoded.pixels.astype(int) - PIXELS).mean() < (3 if ":" in name or name == "jpeg" else 1e-9)
    assert encode(PIXELS, {**RECORD, "ours": extra}, options(name)) == data


@pytest.mark.parametrize("name", ["png", "jpeg", "webp"])
def test_without_a_record_the_file_does_not_mention_dptools(name: str) -> None:
    data = encode(PIXELS, RECORD, options(name, record=False))
    assert decode(data).record is None
    assert b"dptools" not in data
    assert b"DPTL" not in data


def test_files_contain_no_directories() -> None:
    params = {
        "overlay": "/home/me/maps/words",
        "weights": "nets/mine.pt",
        "model": "nets/mine.py:net",
        "epsilon": "8/255",
    }
    service = {"model": "oip+https://host/v2/models/x", "top": []}
    stages = [{"tool": "dp-x", "version": "1", "params": params}]
    record = {**RECORD, "attack": {"name": "gs", "model": "./mine.py:net"}, "classify": service, "stages": stages}
    data = encode(PIXELS, record)
    inside = decode(data).record
    assert inside is not None
    assert (inside["id"], inside["source"], inside["attack"]["model"]) == ("a.jpg@gs", "a.jpg", "mine.py:net")
    assert inside["classify"] == service
    reduced = {"overlay": "words", "weights": "mine.pt", "model": "mine.py:net", "epsilon": "8/255"}
    assert inside["stages"][0]["params"] == reduced
    assert not any(name in data for name in (b"home", b"nets", b"n01"))


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "webp:80", "same"])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_metadata_is_kept_except_for_the_orientation_and_the_profile_that_were_applied(name: str, kind: str) -> None:
    decoded = decode(photo(kind))
    assert decoded.pixels.shape == (48, 32, 3)
    image = Image.open(io.BytesIO(encode(decoded.pixels, RECORD, options(name, metadata=True), decoded.info)))
    exif = image.getexif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    assert ExifTags.Base.Orientation not in exif
    assert exif[ExifTags.Base.Make] == "Maker"
    assert (details[ExifTags.Base.ExifImageWidth], details[ExifTags.Base.ColorSpace]) == (32, 1)
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    packet = image.info.get("xmp") or image.info["XML:com.adobe.xmp"].encode()
    assert b"Orientation" not in packet
    assert b"Dog" in packet
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])))


def test_metadata_is_dropped_by_default() -> None:
    decoded = decode(photo())
    image = Image.open(io.BytesIO(encode(decoded.pixels, RECORD, options("jpeg"), decoded.info)))
    assert not dict(image.getexif())
    assert not {"xmp", "icc_profile", "exif"} & set(image.info)


def test_metadata_without_any_adds_nothing() -> None:
    plain = io.BytesIO()
    Image.fromarray(PIXELS).save(plain, "JPEG")
    decoded = decode(plain.getvalue())
    with_metadata = encode(decoded.pixels, RECORD, options("png", metadata=True), decoded.info)
    assert with_metadata == encode(decoded.pixels, RECORD, options("png"), decoded.info)


@pytest.mark.parametrize("quality", [60, 97])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_same_keeps_the_quality_of_a_jpeg_file(quality: int, subsampling: int) -> None:
    before = photo(quality=quality, subsampling=subsampling)
    decoded = decode(before)
    after = encode(decoded.pixels, RECORD, options("same"), decoded.info)
    tables = [decode(data).info.tables for data in (before, after)]
    assert tables[0] == tables[1] != ()
    assert decode(after).info.subsampling == subsampling
    assert np.abs(decode(after).pixels.astype(int) - decoded.pixels).mean() < 1


def test_same_keeps_the_pixels_of_a_lossless_webp_file() -> None:
    decoded = decode(photo("WEBP", lossless=True))
    assert decoded.info.lossless
    after = encode(decoded.pixels, RECORD, options("same"), decoded.info)
    assert decode(after).info.kind == "WEBP"
    assert np.array_equal(decode(after).pixels, decoded.pixels)
    assert not decode(photo("WEBP", quality=80)).info.lossless


def test_an_animation_is_lossless_if_its_first_frame_is() -> None:
    second = {"save_all": True, "append_images": [Image.fromarray(255 - PIXELS)]}
    assert decode(photo("WEBP", lossless=True, **second)).info.lossless
    assert not decode(photo("WEBP", quality=80, **second)).info.lossless


def test_an_image_too_large_for_the_format_is_an_error() -> None:
    with pytest.raises(SampleError, match="cannot be written as webp"):
        encode(np.zeros((1, 16384, 3), np.uint8), RECORD, options("webp"))


def test_metadata_too_long_for_the_format_is_an_error() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "x" * 70_000
    info = FileInfo("PNG", exif=exif.tobytes())
    with pytest.raises(SampleError, match="cannot be written as jpeg:90"):
        encode(PIXELS, RECORD, options("jpeg", metadata=True), info)
    assert b"xxx" in encode(PIXELS, RECORD, options("webp", metadata=True), info)
