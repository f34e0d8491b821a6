"""dp-classify --suspect and dp-denoise --if-suspect, as a pipe and step by step."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from toys import sample

from dptools.classifiers import load
from dptools.detection import load_detector
from dptools.errors import SampleError, UsageError
from dptools.pipe.image import decode
from dptools.purifiers.filters import parse_filter
from dptools.tools.classify.processor import ClassifyOptions
from dptools.tools.denoise.filtering import FilterProcessor
from dptools.tools.denoise.gate import Gate

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
GATE = Gate(FilterProcessor(parse_filter("median:3")), "median:3", 0.95)


def test_suspicious_images_are_purified_and_the_others_pass_unchanged_in_order() -> None:
    samples = [replace(sample(f"{score}.png", suspicion=score), pixels=PIXELS) for score in (0.2, 0.95, 0.949, 1)]
    done = list(GATE(samples))
    assert [each.id for each in done] == ["0.2.png", "0.95.png", "0.949.png", "1.png"]
    assert [each.record["denoise"]["gate"]["suspect"] for each in done] == [False, True, False, True]
    assert [each.record["denoise"]["method"] for each in done] == ["none", "median:3", "none", "median:3"]
    assert [np.array_equal(each.pixels, PIXELS) for each in done] == [True, False, True, False]  # type: ignore[arg-type]
    assert done[0].record["denoise"]["gate"] == {"threshold": 0.95, "suspect": False, "method": "median:3"}


def test_the_cache_key_differs_between_purified_and_unchanged_images() -> None:
    low, high = (sample("a", suspicion=score) for score in (0.2, 0.99))
    assert GATE.params(low) == {"method": "none", "if_suspect": 0.95, "gate": "median:3"}
    assert GATE.params(high) == {"method": "median:3", "if_suspect": 0.95, "gate": "median:3"}


@pytest.mark.parametrize("record", [{}, {"suspicion": None}])
def test_a_record_without_a_score_fails(record: dict[str, object]) -> None:
    with pytest.raises(SampleError, match="dp-classify --suspect"):
        GATE.expand(sample("a", **record))


def test_earlier_classes_of_a_purified_image_are_dropped() -> None:
    for score, left in [(0.99, set()), (0.2, {"classify"})]:
        (job,) = GATE.expand(sample("a", suspicion=score, classify={"model": "m", "top": []}))
        assert {"classify", "suspicion"} & set(job.record) == left | {"suspicion"}


def test_an_attack_removes_the_score_of_the_clean_image(dog: Path, sh: Run) -> None:
    ran = sh(f"dp-classify --suspect {dog} | dp-attack --label 243 -o adv | dp-denoise --if-suspect 0.95 -o out")
    record = json.loads(ran.stdout)
    assert record["error"]["type"] == "NoSuspicion"
    assert "classify" not in record


def test_options_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(UsageError, match="--detector requires --suspect"):
        ClassifyOptions("efficientnet-lite0", detector="both")
    with pytest.raises(UsageError, match="unknown detector 'magic': choose both, disagreement, squeezing"):
        ClassifyOptions("efficientnet-lite0", suspect=True, detector="magic")
    with pytest.raises(UsageError, match="networks on this machine"):
        ClassifyOptions("clarifai:x", suspect=True)


def test_the_detector_sees_only_what_the_classifier_sees(dog: Path) -> None:
    """A border that is cut off before the classifier sees the image changes nothing."""
    classifier = load("efficientnet-lite0", device="cpu")
    suspecting = load_detector("squeezing", classifier, "cpu")
    seen = classifier.geometry(decode(dog.read_bytes()).pixels)
    probabilities = classifier.probabilities(classifier.tensor(seen))[0]
    assert suspecting(seen, probabilities) == suspecting(decode(dog.read_bytes()).pixels)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 8, 8), np.uint8), r"got uint8 of shape \(3, 8, 8\)"),
        (np.zeros((8, 8, 3), np.float32), r"got float32 of shape \(8, 8, 3\)"),
        ("image.png", "got str"),
    ],
)
def test_the_detector_refuses_what_is_no_image(image: Any, message: str) -> None:
    suspecting = load_detector("squeezing", load("efficientnet-lite0", device="cpu"), "cpu")
    with pytest.raises(ValueError, match=f"H x W x 3, uint8; {message}"):
        suspecting(image)


def test_with_other_classes_only_feature_squeezing_is_used(dog: Path) -> None:
    classifier = load("efficientnet-lite0", device="cpu")
    classifier.classes = replace(classifier.classes, names=classifier.classes.names[:10])
    assert load_detector(None, classifier, "cpu").name == "squeezing"
    with pytest.raises(UsageError, match="choose squeezing"):
        load_detector("both", classifier, "cpu")


def test_the_gate_in_a_pipe(sh: Run, samples: Path, environment: dict[str, str]) -> None:
    """Clean images of which all but few pass, and attacked ones that are restored; counted with and without."""
    chosen = " ".join(str(path) for path in sorted(samples.glob("*/*"))[:4])
    made = sh(
        f"dp-attack -a deepfool {chosen} -o adv > adv.jsonl\n"
        f"(dp-classify --suspect {chosen}; dp-classify --suspect < adv.jsonl) > suspected.jsonl\n"
        "dp-denoise --if-suspect 0.95 -o gated < suspected.jsonl | dp-classify > gated.jsonl\n"
        "dp-denoise -o all < suspected.jsonl | dp-classify > all.jsonl\n"
        "dp-eval --table --by method gated.jsonl; dp-eval --json --figures figures all.jsonl"
    )
    assert made.returncode == 0, made.stderr
    directory = Path(sh("pwd").stdout.strip())
    gated = [json.loads(line) for line in (directory / "gated.jsonl").read_text().splitlines()]
    attacked = [record for record in gated if "attack" in record and "skipped" not in record]
    assert attacked
    assert all(record["denoise"]["gate"]["suspect"] for record in attacked)
    passed = [record for record in gated if record.get("denoise", {}).get("method") == "none"]
    assert passed
    for record in passed:
        before, after = (decode((directory / record[key]).read_bytes()).pixels for key in ("source", "path"))
        assert np.array_equal(before, after)
    assert "fast if suspect" in made.stdout
    gate = json.loads(made.stdout.splitlines()[-1])["gate"]
    assert [group["name"] for group in gate["groups"]] == ["clean", "deepfool"]
    assert gate["groups"][1]["area"]["auc"] > 0.9
    whole, some = gate["restored"]["everything"], gate["restored"]["suspects"]
    assert some["attacked"]["top1"]["k"] == whole["attacked"]["top1"]["k"]
    assert some["clean"]["restored"]["k"] < whole["clean"]["restored"]["k"] == 4
    assert (directory / "figures" / "roc.png").stat().st_size > 5000


def test_the_terminal_shows_the_score(dog: Path) -> None:
    from dptools.tools.classify.command import _lines

    (done,) = ClassifyOptions("efficientnet-lite0", suspect=True, detector="squeezing", top_k=1).load()(
        [replace(sample("a.jpg"), pixels=decode(dog.read_bytes()).pixels)]
    )
    assert _lines(done)[0].startswith("a.jpg  suspicion 0.")
