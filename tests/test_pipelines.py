"""Whole pipelines on photographs, run by a shell and from another language."""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from conftest import Run
from runs import alive, children, started, wait_until

from dptools.pipe.embedded import without_volatile
from dptools.pipe.record import schema


def records(lines: str | Iterable[str]) -> list[dict[str, Any]]:
    """Return the records of JSON lines; each must satisfy the schema."""
    parsed = [json.loads(line) for line in (lines.splitlines() if isinstance(lines, str) else lines)]
    for record in parsed:
        jsonschema.validate(record, schema(), jsonschema.Draft7Validator)
    return parsed


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def three(samples: Path, tmp_path: Path) -> Path:
    """Return a directory of three labelled photographs that the bundled classifier classifies correctly."""
    for wnid in ("n01614925", "n02108422", "n12768682"):
        shutil.copytree(samples / wnid, tmp_path / "imgs" / wnid)
    return tmp_path / "imgs"


def test_a_process_that_has_ended_has_no_children() -> None:
    with subprocess.Popen(["true"]) as run:
        run.wait()
    assert children(run.pid) == []


def test_attack_denoise_classify_and_evaluate(three: Path, sh: Run) -> None:
    done = sh(
        "dp-attack --attack deepfool imgs -o adv | tee a.jsonl | dp-denoise -j 2 -o clean | tee d.jsonl"
        " | dp-classify | tee c.jsonl | dp-eval"
    )
    assert (done.returncode, done.stderr) == (0, "")
    here = three.parent
    attacked, restored, classified = (records((here / name).read_text()) for name in ("a.jsonl", "d.jsonl", "c.jsonl"))
    assert [record["id"] for record in classified] == [
        "n01614925/imagenet_17_22.jpg@deepfool",
        "n02108422/imagenet_00_243.jpg@deepfool",
        "n12768682/imagenet_03_990.jpg@deepfool",
    ]
    assert classified[0]["path"] == "clean/n01614925/imagenet_17_22@deepfool.png"
    assert classified[0]["source"] == "imgs/n01614925/imagenet_17_22.jpg"
    assert [record["label"] for record in attacked] == [22, 243, 990]
    assert [stage["tool"] for stage in classified[0]["stages"]] == ["dp-attack", "dp-denoise", "dp-classify"]
    assert all(record["denoise"]["method"] == "fast" for record in restored)
    (group,) = json.loads(done.stdout)["groups"]
    assert (group["records"], group["success"]["rate"], group["before"]["top1"]["rate"]) == (3, 1, 0)
    assert (group["after"]["top1"]["n"], group["after"]["top1"]["rate"]) == (3, 1)


def test_dp_classify_confirms_what_dp_attack_recorded(three: Path, sh: Run) -> None:
    found = records(sh("dp-attack -a gs -a deepfool imgs -o adv | dp-classify").stdout)
    assert len(found) == 6
    for record in found:
        assert record["attack"]["success"]
        assert record["classify"]["top"][0]["index"] == record["attack"]["adversarial_label"] != record["label"]
        assert record["classify"]["label_rank"] == record["attack"]["adversarial_rank"]


def test_null_separated_paths_from_find(three: Path, sh: Run) -> None:
    (three / "n02108422" / "with\nnewline and ünïcode.jpg").write_bytes(
        (three / "n02108422/imagenet_00_243.jpg").read_bytes()
    )
    done = sh("find imgs -name '*.jpg' -print0 | sort -z | dp-attack -0 --attack gs --attack deepfool -o adv")
    found = records(done.stdout)
    assert len(found) == 8
    assert all((three.parent / record["path"]).is_file() for record in found)
    assert {record["attack"]["name"] for record in found} == {"gs", "deepfool"}
    assert found[0]["path"] == "adv/imgs/n01614925/imagenet_17_22@gs.png"


def test_the_eight_attacks_of_the_paper_on_one_image(dog: Path, sh: Run) -> None:
    done = sh(f"dp-attack -a all --set cw.steps=20 --label 243 {dog} -o adv | dp-classify")
    found = records(done.stdout)
    assert [record["attack"]["name"] for record in found] == [
        *("gs", "agn", "bun", "adef", "newtonfool", "deepfool", "cw", "spn")
    ]
    for record in found:
        assert record["attack"]["success"]
        assert record["classify"]["label_rank"] > 1
    assert found[6]["attack"]["params"]["steps"] == 20
    assert 0 < found[3]["attack"]["deformation"] < 3
    assert found[1]["attack"]["strength"] > found[7]["attack"]["strength"] > 0


def test_a_targeted_attack_by_a_foolbox_class(dog: Path, sh: Run) -> None:
    options = "-a LinfPGD --set steps=20 --set rel_stepsize=0.1 --epsilon 4/255 --target 'Persian cat' --label 243"
    (record,) = records(sh(f"dp-attack {options} {dog} -o adv | dp-classify -k 1").stdout)
    assert record["classify"]["top"][0]["name"] == "Persian cat"
    assert record["attack"]["target"] == record["attack"]["adversarial_label"] == 283
    assert record["attack"]["norms"]["linf_255"] <= 4
    (same,) = records(sh(f"dp-attack -a pgd --target 243 --label 243 {dog} -o adv").stdout)
    assert same["skipped"]["message"] == "bull mastiff is already the target"


def test_an_unknown_target_is_a_usage_error(dog: Path, sh: Run) -> None:
    done = sh(f"dp-attack -a pgd --target unicorn --label 243 {dog} -o adv")
    assert (done.returncode, done.stdout) == (2, "")
    assert "dp-attack: unknown label 'unicorn'" in done.stderr


def test_an_adaptive_attack_through_the_denoiser_is_judged_by_fresh_draws(dog: Path, sh: Run) -> None:
    through = "dp-attack -a pgd --set steps=4 --through denoiser --eot 2 --judge 3 --label 243"
    done = sh(f"{through} {dog} -o adv | tee adv.jsonl | dp-eval --table; cat adv.jsonl")
    table, _, line = done.stdout.rpartition("\n{")
    (record,) = records("{" + line)
    facts = record["attack"]
    assert (facts["through"], facts["gradient"], facts["eot"], facts["clean_label"]) == ("denoiser", "exact", 2, 243)
    assert facts["judge"]["draws"] == 3
    assert facts["success"] == (not facts["judge"]["majority_correct"])
    assert facts["restorations"] >= 2 * 3 + 2
    assert facts["params"]["rel_stepsize"] == 2.5 / 4
    assert "pgd linf 4/255 x4 exact eot 2  denoiser  1" in table
    assert "gradient through the whole defence      met             exact" in table
    (again,) = records(sh(f"{through} {dog} -o adv").stdout)
    assert again["cached"]


@pytest.mark.parametrize("method", ["fast", "denoiser"])
def test_with_fixed_draws_the_attacker_knows_what_dp_denoise_will_do(dog: Path, sh: Run, method: str) -> None:
    attack = f"dp-attack -a apgd-ce --set steps=5 --through {method} --fixed-draws --label 243"
    (record,) = records(sh(f"{attack} {dog} -o adv | dp-denoise --method {method} -o clean | dp-classify -k 1").stdout)
    (top,) = record["classify"]["top"]
    assert top["index"] == record["attack"]["adversarial_label"]
    # The integers of method fast round differences of the last bit up to visible ones.
    assert top["p"] == pytest.approx(record["attack"]["adversarial_p"], abs=0.005 if method == "fast" else 0)
    assert "judges" not in record["attack"]


def test_a_transferred_attack_is_judged_by_the_attacked_classifier(dog: Path, sh: Run) -> None:
    attack = "dp-attack -a pgd --set steps=3 --epsilon 1/255 --transfer-from efficientnet-lite1 --label 243"
    (record,) = records(sh(f"{attack} {dog} -o adv | dp-classify").stdout)
    facts = record["attack"]
    assert (facts["transfer_from"], facts["model"]) == ("efficientnet-lite1", "efficientnet-lite0")
    assert facts["adversarial_rank"] == record["classify"]["label_rank"]
    assert facts["success"] == (facts["adversarial_label"] != 243)


def test_an_attacker_who_knows_the_detector_makes_images_that_are_less_suspicious(dog: Path, sh: Run) -> None:
    attack = "dp-attack -a pgd --set steps=8 --label 243"
    done = sh(
        f"{attack} {dog} -o plain | dp-classify --suspect; "
        f"{attack} --evade-suspicion {dog} -o evading | dp-classify --suspect"
    )
    plain, evading = records(done.stdout)
    assert evading["attack"]["success"]
    assert evading["suspicion"] < plain["suspicion"]
    assert evading["suspicion"] == evading["attack"]["suspicion"]


def test_a_filter_as_the_method_of_dp_denoise(dog: Path, sh: Run) -> None:
    done = sh(f"dp-attack --label 243 -a deepfool {dog} -o adv | dp-denoise --method jpeg:50 -o jpeg | dp-classify")
    (record,) = records(done.stdout)
    assert record["denoise"]["method"] == "jpeg:50"
    assert 20 < record["denoise"]["psnr_input"] < 50
    assert record["classify"]["label_rank"] == 1
    assert "seed" not in record["stages"][1]


def test_an_image_through_standard_input_and_output(dog: Path, sh: Run) -> None:
    done = sh(f"dp-attack --label 243 < {dog} | tee adv.png | dp-denoise -j 2 | tee clean.png | dp-classify")
    (record,) = records(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (record["label"], record["path"], record["attack"]["success"]) == (243, "-", True)
    assert [stage["tool"] for stage in record["stages"]] == ["dp-attack", "dp-denoise", "dp-classify"]
    assert all("seconds" in record["stages"][-1] and "input_sha256" in stage for stage in record["stages"])


def test_an_image_that_is_misclassified_before_the_attack_is_skipped(dog: Path, sh: Run) -> None:
    done = sh(
        f"dp-attack --label goldfish {dog} -o adv | dp-denoise -o clean | dp-classify | tee all.jsonl | dp-eval"
        "; cat all.jsonl"
    )
    summary, *lines = done.stdout.splitlines()
    (record,) = records(lines)
    assert record["skipped"]["message"] == "efficientnet-lite0 already predicts bull mastiff"
    assert record["path"].startswith("adv/")
    assert json.loads(summary)["groups"][0]["skipped"] == 1
    assert json.loads(summary)["groups"][0]["success"]["n"] == 0


def test_label_from_prediction(dog: Path, sh: Run) -> None:
    done = sh(
        f"cp {dog} unlabelled.jpg; dp-attack unlabelled.jpg -o a; dp-attack --label-from prediction unlabelled.jpg -o b"
    )
    without, predicted = records(done.stdout)
    assert without["error"]["type"] == "NoLabel"
    assert "unlabelled.jpg: no label: give --label" in done.stderr
    assert predicted["label"] == 243
    assert predicted["attack"]["success"]


def test_files_are_identical_for_any_number_of_jobs_and_any_order(three: Path, sh: Run) -> None:
    for out, jobs, order in [("one", 1, "imgs/*/"), ("two", 2, "imgs/*/"), ("back", 2, "$(ls -rd imgs/*/)")]:
        done = sh(
            f"dp-attack -a gs -j {jobs} {order} -o {out}/adv"
            f" | dp-denoise -j {jobs} --seed 5 -o {out}/clean > {out}.jsonl"
        )
        assert done.returncode == 0, done.stderr
    here = three.parent
    assert len(files(here / "one")) == 6
    assert files(here / "one") == files(here / "two") == files(here / "back")
    lines = {out: records((here / f"{out}.jsonl").read_text()) for out in ("one", "two", "back")}
    assert [record["id"] for record in lines["one"]] == [record["id"] for record in lines["two"]]
    assert sorted(record["id"] for record in lines["one"]) == sorted(record["id"] for record in lines["back"])


@pytest.mark.slow
def test_a_killed_run_is_resumed(three: Path, sh: Run, environment: dict[str, str]) -> None:
    here = three.parent
    command = ["dp-denoise", "--method", "dip", "--stop", "fixed:15", "-j", "1", "imgs", "-o"]
    with started([*command, "broken"], cwd=here, env=environment, stdout=subprocess.DEVNULL) as run:
        assert wait_until(lambda: any((here / "broken").rglob("[!.]*.png")), 120)
        assert run.poll() is None
        run.kill()
    finished = {path: path.stat().st_mtime_ns for path in (here / "broken").rglob("[!.]*.png")}
    again = sh(" ".join([*command, "broken"]))
    unbroken = sh(" ".join([*command, "whole"]))
    whole = {name: data for name, data in files(here / "broken").items() if not name.endswith(".part")}
    assert whole == files(here / "whole")
    reused = [record for record in records(again.stdout) if record.get("cached")]
    assert len(reused) >= len(finished) >= 1
    assert all(path.stat().st_mtime_ns == time_ns for path, time_ns in finished.items())

    def without_directory(lines: str) -> list[dict[str, Any]]:
        return [without_volatile(record) for record in records(lines)]

    assert without_directory(again.stdout) == without_directory(unbroken.stdout)


def test_workers_end_when_their_parent_is_killed(three: Path, environment: dict[str, str]) -> None:
    command = ["dp-denoise", "--method", "paper", "-j", "2", "imgs", "-o", "out"]
    with started(command, cwd=three.parent, env=environment) as run:
        assert wait_until(lambda: len(children(run.pid)) >= 2, 60)
        workers = children(run.pid)
        run.kill()
    assert wait_until(lambda: not any(alive(pid) for pid in workers), 20)


def test_sigint_ends_the_tool_by_that_signal_and_leaves_no_partial_output(
    three: Path, environment: dict[str, str]
) -> None:
    # If the tests run in a background job, SIGINT may be ignored, and a child process would inherit that.
    command = ["env", "--default-signal=INT", "dp-denoise", "--method", "paper", "-j", "2", "imgs", "-o", "out"]
    with started(command, cwd=three.parent, env=environment, stderr=subprocess.PIPE, text=True) as run:
        assert wait_until(lambda: len(children(run.pid)) >= 2, 60)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=20)
    assert run.returncode == -signal.SIGINT
    assert "Traceback" not in err
    assert not (three.parent / "out").exists()


def test_a_closed_reader_ends_a_tool_without_a_message(three: Path, sh: Run) -> None:
    """The second half of the input arrives after the reader has gone, so that the tool must notice the closed pipe."""
    names = "{ find imgs -type f; until [ -e gone ]; do sleep 0.1; done; find imgs -type f; }"
    done = sh(f"{names} | {{ dp-classify; echo status $? >&2; }} | {{ head -n 1; exec <&-; touch gone; }}")
    assert len(records(done.stdout)) == 1
    assert done.stderr == "status 1\n"


def test_a_full_disk_is_an_error_of_one_line(dog: Path, sh: Run) -> None:
    done = sh(f"dp-classify {dog} > /dev/full")
    assert done.returncode == 3
    assert done.stderr == "dp-classify: write error: No space left on device\n"


def test_closed_standard_streams(dog: Path, sh: Run) -> None:
    assert sh("dp-classify <&-").returncode == 0
    assert len(records(sh(f"dp-classify {dog} 2>&-").stdout)) == 1
    done = sh(f"dp-classify {dog} >&-")
    assert (done.returncode, done.stderr) == (3, "dp-classify: write error: Bad file descriptor\n")


def test_a_closed_reader_of_stderr_loses_no_record(dog: Path, sh: Run) -> None:
    done = sh(f"exec 3> >(:); wait $!; dp-classify missing.png {dog} 2>&3")
    assert len(records(done.stdout)) == 2


def test_an_image_from_a_process_substitution(dog: Path, sh: Run) -> None:
    (record,) = records(sh(f"dp-classify -k 1 <(cat {dog})").stdout)
    assert record["classify"]["top"][0]["name"] == "bull mastiff"


def test_dp_mapsext_writes_a_mask(sh: Run, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image, ImageDraw

    drawing = Image.new("RGB", (200, 100), (240, 235, 215))
    ImageDraw.Draw(drawing).text((40, 40), "GRINNELL", fill=(20, 20, 20), font_size=24)
    drawing.save(tmp_path / "map.png")
    for rule in ("letters", "paper"):
        done = sh(f"dp-mapsext --rule {rule} map.png -o {rule} && dp-mapsext --rule {rule} < map.png > mask.png")
        (record,) = records(done.stdout)
        assert record["path"] == f"{rule}/map.png"
        mask = np.asarray(Image.open(tmp_path / rule / "map.png"))
        dark = np.asarray(drawing)[..., 0] < 60
        assert set(np.unique(mask)) == {0, 255}
        assert (mask[..., 0][dark] == 255).mean() > 0.9
        assert record["mapsext"]["coverage"] == pytest.approx((mask > 0).mean(), abs=1e-3)


def test_a_torchvision_model_with_weights_from_a_file(three: Path, sh: Run, tmp_path: Path) -> None:
    import torch
    from torchvision.models import resnet18

    torch.manual_seed(0)
    torch.save(resnet18().state_dict(), tmp_path / "w.pth")
    done = sh("dp-classify --model resnet18 --weights w.pth -k 2 imgs")
    found = records(done.stdout)
    assert [len(record["classify"]["top"]) for record in found] == [2, 2, 2]
    assert found[0]["stages"][0]["params"]["model"] == "resnet18"
    assert [record["label"] for record in found] == [22, 243, 990]


NODE = """
const { spawnSync } = require("child_process");
const record = JSON.stringify({ path: process.argv[2], label: "n02108422" });
const run = spawnSync("dp-classify", [], { input: record + "\\n" });
const { classify } = JSON.parse(run.stdout.toString());
console.log(run.status, classify.top[0].name, classify.label_rank);
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_a_tool_run_from_javascript(dog: Path, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "drive.js").write_text(NODE)
    done = sh(f"node drive.js {dog}")
    assert done.stdout == "0 bull mastiff 1\n"
