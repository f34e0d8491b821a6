"""dp-classify --certify and --smooth, and dp-eval on certificates."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from runs import records

from dptools.errors import UsageError
from dptools.evaluation.certified import CertificateEvaluation
from dptools.evaluation.figures import certified as draw
from dptools.tools.classify.certification import parse_certification


def parse(certify: list[str], **more: Any) -> Any:
    defaults = {"smooth": None, "purifier": None, "draws": None, "alpha": None, "until": None, "seed": 0}
    return parse_certification(certify, **(defaults | more))


@pytest.mark.parametrize(
    ("certify", "more", "message"),
    [
        (["64"], {}, "for 64 on the 8-bit scale, give 64/255"),
        (["0"], {}, "--certify 0: give the standard deviation"),
        (["x"], {}, "--certify x: give the standard deviation"),
        (["0.25"], {"smooth": "0.25"}, "--certify and --smooth exclude each other"),
        ([], {"draws": 5}, "--draws needs --certify or --smooth"),
        ([], {"smooth": "0.25", "until": 0.5}, "--until needs --certify"),
        (["0.25"], {"draws": 9}, "--draws 9: too few for a certificate with alpha 0.001: give 10 or more"),
        (["0.25", "0.5"], {"draws": 10}, "--draws 10: too few for a certificate with alpha 0.001: give 11 or more"),
        (["0.25"], {"until": 0.0}, "--until 0: give a radius above 0"),
        (["0.25"], {"alpha": 1.0}, "--alpha 1: give the probability of an error"),
        (["0.25"], {"purifier": "dip"}, "--purifier dip: a certificate needs one purification for each of its draws"),
        (["0.25"], {"purifier": "jpg"}, r"--purifier: unknown method 'jpg' \(did you mean jpeg\?\): choose .*, none$"),
        (["0.25"], {"purifier": "dip:3"}, "--purifier: method dip:3: dip takes no value$"),
    ],
)
def test_wrong_options_are_rejected(certify: list[str], more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(certify, **more)


def test_the_number_of_requests_is_known_beforehand() -> None:
    assert parse(["0.25", "64/255", "0.5"], draws=500).requests == 3 * 550
    assert parse([], smooth="0.5").requests == 1000
    assert parse(["0.25", ".25"]).sigmas == (0.25,)
    assert parse(["0.25"], purifier="none").purifier is None


def test_records_are_the_same_whatever_the_batch_jobs_and_engine(dog: Path, sh: Run) -> None:
    command = f"dp-classify --certify 0.12 --certify 0.25 --draws 20 {dog} {dog.parent}/../*/*_00_* --json"
    one, two, inline = (
        records(sh(f"{command} {more} 2> /dev/null").stdout)
        for more in ("-j 1", "-j 2 --batch-size 3", "--engine inline")
    )
    assert one == two == inline
    (first, *_) = one
    certify = first["certify"]
    assert (certify["alpha"], certify["method"], certify["n0"]) == (0.001, "perceptual", 2)
    assert certify["others"][0]["alpha"] == 0.0005
    assert certify["radius"] >= certify["others"][0]["radius"]
    assert first["classify"]["label_rank"] == 1


def test_a_person_reads_what_is_certified(dog: Path, sh: Run) -> None:
    shown = sh(f"script -qec 'dp-classify --certify 0.12 --draws 30 -k 1 -j 1 -q {dog}' /dev/null").stdout
    assert "bull mastiff; no change of the 224 x 224 input with an L2 norm up to 0.0" in shown
    assert "can alter this (confidence 99.9 %)" in shown


def certificate(image: str, radius: float, predicted: int | None = 1, **more: Any) -> dict[str, Any]:
    counts = {"n0": 100, "n": 1000, "alpha": 0.001, "count": 900, "p_lower": 0.8}
    facts = {
        "sigma": 0.25,
        "method": "perceptual",
        "class": predicted,
        "radius": radius,
        "abstained": predicted is None,
    }
    stages = [{"tool": "dp-classify", "version": "0", "params": {}, "seconds": 61.5}]
    return {
        "id": image,
        "path": image,
        "label": 1,
        "certify": {**facts, **counts, "clean_class": 1, **more},
        "stages": stages,
    }


RECORDS = [
    certificate("a", 0.6),
    certificate("b", 0.3),
    certificate("c", 0.9, predicted=2),
    certificate("d", 0.0, predicted=None, clean_class=2),
]


def test_certified_accuracy_counts_correct_classes_with_the_radius() -> None:
    evaluation = CertificateEvaluation((0.25, 0.5, 1.0))
    for record in RECORDS:
        evaluation.add(record)
    (group,) = evaluation.shown()
    assert [group.accuracy(radius).k for radius in evaluation.radii] == [2, 1, 0]
    assert (group.accuracy(0.25).n, group.accuracy(0.25, of_correct=True).n) == (4, 3)
    assert group.mean_radius == pytest.approx(0.9 / 4)
    assert group.abstained.k == 1
    lines = evaluation.as_tsv().splitlines()
    assert lines[0] == "idx\tlabel\tpredict\tradius\tcorrect\ttime"
    assert lines[1] == "0\t1\t1\t0.6\t1\t0:01:01.500000"
    assert lines[4].split("\t")[2:5] == ["-1", "0", "0"]


def test_the_best_sigma_at_each_radius_is_a_row_of_its_own() -> None:
    other = {"sigma": 0.5, "method": "perceptual", "class": 1, "radius": 0.2, "abstained": False}
    evaluation = CertificateEvaluation((0.25, 0.65))
    evaluation.add(certificate("a", 0.6, others=[other]))
    evaluation.add(certificate("b", 0.4, others=[{**other, "radius": 0.7}]))
    rows = [(group.sigma, [group.accuracy(radius).k for radius in evaluation.radii]) for group in evaluation.shown()]
    assert rows == [(0.25, [2, 0]), (0.5, [1, 1]), (None, [2, 1])]
    *_, largest, best = evaluation.as_json()
    assert largest["abstained"]["n"] == 2
    assert (best["sigma"], best["abstained"], best["average_radius"]) == (None, None, None)  # of no single noise


def test_the_best_sigma_is_that_on_the_images_with_certificates_of_all() -> None:
    """Else the noise that was tried on the fewest images, all of them easy, would often be the best."""
    evaluation = CertificateEvaluation((0.25,))
    for image, radius in (("easy", 0.6), ("hard", 0.1), ("harder", 0.1)):
        evaluation.add(certificate(image, radius))
    evaluation.add(certificate("easy", 0.5, sigma=0.5))
    *_, best = evaluation.shown()
    assert (best.sigma, best.accuracy(0.25).k, best.accuracy(0.25).n, len(best.certificates)) == (None, 1, 1, 1)
    evaluation = CertificateEvaluation()
    evaluation.add(certificate("a", 0.6))
    evaluation.add(certificate("b", 0.6, sigma=0.5))
    assert [group.sigma for group in evaluation.shown()] == [0.25, 0.5]


def test_certificates_of_images_that_were_attacked_through_other_methods_are_kept_apart() -> None:
    evaluation = CertificateEvaluation()
    square = {"name": "square", "norm": "linf", "epsilon": 4 / 255, "gradient": "none", "success": True}
    for through in ("jpeg:50", "denoiser"):
        evaluation.add({**certificate("a", 0.6), "attack": {**square, "through": through}})
    assert [(group.sigma, group.attack) for group in evaluation.shown()] == [
        (0.25, "square linf 4/255, behind jpeg:50"),
        (0.25, "square linf 4/255, behind denoiser"),
    ]


@pytest.mark.parametrize("wrong", [{"sigma": "x"}, {"radius": None}, {"abstained": 0}])
def test_an_invalid_certificate_with_another_sigma_is_an_invalid_record(wrong: dict[str, Any], sh: Run) -> None:
    other = {"sigma": 0.5, "method": "perceptual", "class": 1, "radius": 0.2, "abstained": False}
    assert sh("dp-eval", input=json.dumps(certificate("a", 0.6, others=[other])), stdin=None).returncode == 0
    done = sh("dp-eval", input=json.dumps(certificate("a", 0.6, others=[{**other, **wrong}])), stdin=None)
    (key,) = wrong
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"dp-eval: line 1: record.certify.others[0].{key} must be" in done.stderr


def test_certificates_of_many_images_are_drawn_at_once() -> None:
    """The time is not that of a pass through all certificates for each radius."""
    evaluation = CertificateEvaluation()
    for image in range(20_000):
        evaluation.add(certificate(str(image), image / 20_000))
    start = time.monotonic()
    (line, *_) = draw(evaluation.named(), published=False).axes[0].lines
    assert time.monotonic() - start < 10
    assert list(line.get_ydata())[:2] == [100, 99.995]


def test_certificates_of_other_images_attacks_and_classifiers_are_kept_apart() -> None:
    """Ids are the names of files, which several directories can have in common."""
    images = [{**certificate("x.JPEG", 0.6), "source": f"{folder}/x.JPEG"} for folder in ("a", "b")]
    attacked = {**images[0], "id": "x.JPEG@gs", "attack": {"name": "gs", "success": True}}
    other = {**images[0], "classify": {"model": "other"}}

    def names(records: list[dict[str, Any]]) -> list[tuple[str, int]]:
        evaluation = CertificateEvaluation()
        for record in records:
            evaluation.add(record)
        return [(name, len(group.certificates)) for name, group in evaluation.named()]

    assert names(images) == [("sigma 0.25, perceptual", 2)]
    assert names([*images, attacked]) == [("sigma 0.25, perceptual", 2), ("sigma 0.25, perceptual, gs", 1)]
    pgd = {"name": "pgd", "norm": "linf", "success": True}
    two = [{**attacked, "attack": {**pgd, "epsilon": step / 255}} for step in (2, 4)]
    assert names(two) == [("sigma 0.25, perceptual, pgd linf 2/255", 1), ("sigma 0.25, perceptual, pgd linf 4/255", 1)]
    skipped = {**images[0], "attack": {"name": "gs", "clean_label": 3}}
    assert names([*images, skipped]) == names(images)
    assert names([*images, other]) == [("sigma 0.25, perceptual, -", 2), ("sigma 0.25, perceptual, other", 1)]


def test_a_certificate_does_not_outlive_its_image(dog: Path, sh: Run) -> None:
    certified = f"dp-classify --certify 0.12 --draws 10 {dog}"
    (attacked,) = records(sh(f"{certified} | dp-attack -o adv | dp-classify").stdout)
    (denoised,) = records(sh(f"{certified} | dp-denoise --method jpeg:50 -o jpeg").stdout)
    (again,) = records(sh(f"{certified} | dp-classify --smooth 0.12 --draws 5").stdout)
    assert "certify" not in {**attacked, **denoised, **again}
    assert again["smooth"]["n"] == 5


def test_dp_eval_shows_certified_accuracy(sh: Run, tmp_path: Path) -> None:
    (tmp_path / "records").write_text("\n".join(map(json.dumps, RECORDS)))
    done = sh("dp-eval --table --radii 0.5,0.25 --figures figures records")
    header, every, correct = done.stdout.split("\n\n")[1].splitlines()
    assert header.split() == ["certified", "at", "L2", "of", "n", "0.25", "0.5", "abstained", "mean", "radius"]
    assert every.split() == [
        "sigma",
        "0.25,",
        "perceptual",
        "all",
        "4",
        *["50", "[15-85]", "25", "[5-70]", "25", "[5-70]", "0.225"],
    ]
    assert correct.split()[3:8] == ["correct", "ones", "3", "67", "[21-94]"]
    assert (tmp_path / "figures/certified.svg").exists()
    (group,) = json.loads(sh("dp-eval --radii 0.5 records").stdout)["certificates"]
    assert (group["sigma"], group["certified"][0]["radius"], group["certified"][0]["k"]) == (0.25, 0.5, 1)
    assert sh("dp-eval --tsv records").stdout.startswith("idx\tlabel")
    refused = sh("dp-eval --radii 0.5,x records")
    assert (refused.returncode, "give numbers from 0" in refused.stderr) == (2, True)
