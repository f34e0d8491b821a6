"""A user's own classifier in all tools: attack, purify, classify, certify and evaluate; and the likeliest mistakes."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch
from classifiers.own_models import NAMES, write_exported, write_images, write_mine, write_onnx, write_weights
from conftest import Run
from PIL import Image
from runs import records
from typer.testing import CliRunner, Result

from dptools.classifiers import load

Tool = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with one network in all forms, its class names, and images labelled by their folders."""
    directory = tmp_path_factory.mktemp("own")
    network = write_mine(directory)
    write_images(directory / "imgs", network)
    write_onnx(directory / "one.onnx", network)
    write_onnx(directory / "any.onnx", network, "batch")
    write_exported(directory / "net.pt2", network)
    write_weights(directory)
    return directory


@pytest.fixture
def tool(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Return a function that runs a tool in this process, in the directory of the models."""
    monkeypatch.chdir(folder)

    def run(command: str, stdin: str = "") -> Result:
        name, *arguments = command.split()
        monkeypatch.setattr("sys.argv", [name])
        package = {"dp-eval": "evaluate"}.get(name, name.removeprefix("dp-"))
        app = import_module(f"dptools.tools.{package}.command").app
        engine = [] if name == "dp-eval" else ["--engine", "inline"]
        return CliRunner().invoke(app, [*arguments, *engine], input=stdin, catch_exceptions=False)

    return run


MODELS = {
    "function": "--model mine.py:network --size 32 --weights mine.pth",
    "exported": "--model net.pt2",
    "onnx": "--model any.onnx",
    "onnx of batch size 1": "--model one.onnx",
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_attack_purify_classify_certify_and_evaluate(model: str, tool: Tool, tmp_path: Path) -> None:
    options = f"{model} --classes names.txt"
    attack = "square --epsilon 16/255 --set queries=200" if "onnx" in model else "pgd --epsilon 16/255"
    attacked = tool(f"dp-attack -a {attack} {options} imgs -o {tmp_path}/adv")
    assert attacked.exit_code == 0, attacked.stderr
    assert all(
        record["attack"]["clean_name"] == Path(record["source"]).parent.name for record in records(attacked.stdout)
    )
    assert any(record["attack"]["success"] for record in records(attacked.stdout))
    (tmp_path / "adv.jsonl").write_text(attacked.stdout)
    denoised = tool(f"dp-denoise --method median:3 {tmp_path}/adv -o {tmp_path}/clean")
    assert denoised.exit_code == 0, denoised.stderr
    classified = tool(f"dp-classify {options} {tmp_path}/adv")
    assert {record["classify"]["label_rank"] for record in records(classified.stdout)} - {1}, "some are misclassified"
    assert {top["name"] for record in records(classified.stdout) for top in record["classify"]["top"]} <= set(NAMES)
    certified = tool(f"dp-classify {options} --certify 0.02 --purifier none --draws 50 --alpha 0.1 imgs")
    assert any(record["certify"]["radius"] > 0 for record in records(certified.stdout)), certified.stderr
    (tmp_path / "all.jsonl").write_text(classified.stdout)
    evaluated = tool(f"dp-eval {tmp_path}/all.jsonl")
    assert evaluated.exit_code == 0, evaluated.stderr


WEIGHTS = ["efficientnet-lite0", "resnet18", "timm:resnet10t"]


@pytest.mark.parametrize("model", WEIGHTS)
def test_known_networks_with_weights_for_seven_classes_run_in_all_tools(
    model: str, tool: Tool, folder: Path, tmp_path: Path
) -> None:
    """The weights are random, so the label is what the network sees in the image."""
    options = f"--model {model} --weights {model.rpartition(':')[2]}.pth --size 32 --classes names.txt"
    attacked = tool(f"dp-attack -a pgd --epsilon 32/255 --label-from prediction {options} imgs -o {tmp_path}/adv")
    assert attacked.exit_code == 0, attacked.stderr
    assert all(record["attack"]["clean_name"] in NAMES for record in records(attacked.stdout))
    denoised = tool(f"dp-denoise --method median:3 -o {tmp_path}/clean", attacked.stdout)
    classified = tool(f"dp-classify {options}", denoised.stdout)
    assert classified.exit_code == 0, classified.stderr
    found = records(classified.stdout)
    assert {top["name"] for record in found for top in record["classify"]["top"]} <= set(NAMES)
    assert all(1 <= record["classify"]["label_rank"] <= 7 for record in found)
    certified = tool(f"dp-classify {options} --certify 0.02 --purifier none --draws 50 --alpha 0.1 imgs")
    assert all("certify" in record for record in records(certified.stdout)), certified.stderr
    (tmp_path / "all.jsonl").write_text(classified.stdout)
    evaluated = tool(f"dp-eval --table {tmp_path}/all.jsonl")
    assert evaluated.exit_code == 0, evaluated.stderr
    assert "pgd" in evaluated.stdout


def test_all_forms_of_a_network_give_the_same_scores(tool: Tool) -> None:
    tops = []
    for model in MODELS.values():
        found = records(tool(f"dp-classify {model} --classes names.txt imgs").stdout)
        assert all(record["classify"]["label_rank"] == 1 for record in found)
        tops.append([[(top["name"], round(top["p"], 3)) for top in record["classify"]["top"]] for record in found])
    assert all(top == tops[0] for top in tops)


def test_an_adaptive_attack_goes_through_a_purifier(tool: Tool, tmp_path: Path) -> None:
    model = f"{MODELS['function']} --classes names.txt"
    done = tool(f"dp-attack -a pgd --set steps=5 --through jpeg:50 {model} imgs -o {tmp_path}/adv")
    assert done.exit_code == 0, done.stderr
    assert all(record["attack"]["through"] == "jpeg:50" for record in records(done.stdout))


def test_the_oracle_of_a_fit_is_the_users_network(tool: Tool, tmp_path: Path) -> None:
    fit = "dp-denoise --method dip --stop oracle --iterations 4"
    done = tool(f"{fit} {MODELS['function']} --classes names.txt imgs/{_first()} -o {tmp_path}/out")
    assert done.exit_code == 0, done.stderr
    (record,) = records(done.stdout)
    assert record["stages"][-1]["params"]["model"] == "mine.py:network"


def test_the_oracle_refuses_an_image_attacked_for_another_classifier(tool: Tool, tmp_path: Path) -> None:
    record = {"id": "a", "path": f"imgs/{_first()}", "label": 3, "attack": {"name": "gs", "adversarial_label": 999}}
    fit = f"dp-denoise --method dip --stop oracle --iterations 4 {MODELS['function']} -o {tmp_path}/out"
    done = tool(fit, json.dumps(record) + "\n")
    assert done.exit_code == 1
    assert done.stderr.endswith(": the adversarial label 999 is not between 0 and 6\n")


def test_an_attack_transfers_from_a_function_to_an_onnx_file(tool: Tool, tmp_path: Path) -> None:
    command = (
        f"dp-attack -a pgd --transfer-from mine.py:network --classes names.txt --model one.onnx imgs -o {tmp_path}/t"
    )
    done = tool(command)
    assert done.exit_code == 0, done.stderr
    assert {record["attack"]["transfer_from"] for record in records(done.stdout)} == {"mine.py:network"}


def test_a_changed_model_makes_outputs_again(tool: Tool, folder: Path, tmp_path: Path) -> None:
    (folder / "other.py").write_text("from helper import network\n")
    (folder / "helper.py").write_text((folder / "mine.py").read_text())
    command = f"dp-attack -a agn --model other.py:network --size 32 --label-from prediction imgs -o {tmp_path}/adv"
    tool(command)
    assert all(record["cached"] for record in records(tool(command).stdout))
    assert not any("cached" in record for record in records(tool(f"{command} --mean .5").stdout))
    tool(command)
    (folder / "helper.py").write_text((folder / "mine.py").read_text() + "\n# changed\n")
    assert not any("cached" in record for record in records(tool(command).stdout))


def test_workers_find_the_model_from_another_directory(folder: Path, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    up = "../" * len((tmp_path / "here").parts[1:])
    relative = f"{up}{str(folder)[1:]}"
    done = sh(
        f"cd here; dp-classify -j 2 --model {relative}/mine.py:network --weights {relative}/mine.pth --size 32 "
        f"--classes {relative}/names.txt {folder}/imgs"
    )
    assert done.returncode == 0, done.stderr
    assert [record["classify"]["label_rank"] for record in records(done.stdout)] == [1] * 4
    module = sh(f"cd {folder}; dp-classify --model mine:softmax --size 32 --classes names.txt imgs")
    assert module.returncode == 0, module.stderr


def test_labels_come_from_class_names_and_unknown_labels_fail(tool: Tool, folder: Path) -> None:
    model = f"{MODELS['function']} --classes names.txt"
    image = next((folder / "imgs").glob("*/*.png"))
    assert tool(f"dp-classify {model} --label unicorn {image}").exit_code == 2
    record = {"schema": 2, "id": "x", "path": str(image), "source": str(image), "label": 243}
    done = tool(f"dp-classify {model}", json.dumps(record))
    assert done.exit_code == 1
    assert records(done.stdout)[0]["error"]["message"] == "label 243 is not between 0 and 6"
    done = tool(f"dp-classify {model}", json.dumps({**record, "label": "unicorn"}))
    assert "neither an index from 0 to 6 nor a class of the model" in done.stderr


DARK = """
import torch

class Net(torch.nn.Module):
    def forward(self, images):
        return images.mean((2, 3)).where(images.mean() > 0.1, torch.nan)

def network():
    return Net()
"""


@pytest.mark.parametrize("more", ["", " --through jpeg:50", " --label-from prediction"])
def test_an_attack_on_scores_that_are_not_finite_fails_for_that_image_only(
    more: str, tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dark.py").write_text(DARK)
    for name, red in (("a", 0), ("b", 200)):
        Image.new("RGB", (8, 8), (red, 0, 0)).save(f"{name}.png")
    label = "" if "prediction" in more else " --label 0"
    model = f"--model dark.py:network --size 8{label}"
    done = tool(f"dp-attack -a agn --set steps=2 --batch-size 2 {model}{more} a.png b.png -o adv")
    dark, bright = records(done.stdout)
    assert dark["error"]["type"] == "NotFinite"
    assert bright["attack"]["clean_rank"] == 1
    assert done.exit_code == 1


def test_votes_with_scores_that_are_not_finite_fail(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dark.py").write_text(DARK)
    Image.new("RGB", (8, 8)).save("a.png")
    model = "--model dark.py:network --size 8"
    for option in ("--smooth", "--certify"):
        done = tool(f"dp-classify {option} 0.1 --draws 20 --purifier none {model} a.png")
        (record,) = records(done.stdout)
        assert record["error"]["message"] == "dark.py:network returned scores that are not finite"


def test_an_abstention_is_not_correct_for_any_label(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dark.py").write_text(DARK)
    Image.new("RGB", (8, 8), (128, 128, 128)).save("a.png")  # the noise decides between three classes
    for label in range(3):
        model = f"--model dark.py:network --size 8 --label {label}"
        (record,) = records(tool(f"dp-classify --smooth 0.1 --draws 20 --purifier none {model} a.png").stdout)
        assert record["smooth"]["abstained"]
        assert record["classify"]["label_rank"] > 1


def _first() -> str:
    return str(sorted(Path("imgs").glob("*/*.png"))[0].relative_to("imgs"))


def test_suspicion_is_calibrated_on_the_users_images(tool: Tool, folder: Path, tmp_path: Path) -> None:
    model, file = f"{MODELS['function']} --classes names.txt", tmp_path / "calibration.json"
    network = load("mine.py:network", Path("mine.pth"), "cpu", size=32)
    write_images(tmp_path / "clean", network, count=30)
    calibrated = tool(f"dp-classify {model} --calibrate {file} {tmp_path}/clean")
    assert calibrated.exit_code == 0, calibrated.stderr
    assert json.loads(file.read_text())["images"] == 30
    found = records(calibrated.stdout)
    assert not any("suspicion" in record for record in found)
    suspect = f"dp-classify {model} --suspect --calibration {file}"
    suspicions = {record["id"]: record["suspicion"] for record in records(tool(f"{suspect} {tmp_path}/clean").stdout)}
    ordered = sorted(found, key=lambda record: record["suspect"]["disagreement"])
    assert [suspicions[record["id"]] for record in ordered] == sorted(suspicions.values())
    assert sum(value >= 0.95 for value in suspicions.values()) in (1, 2)
    assert sum(value >= 0.5 for value in suspicions.values()) == 15
    attack = tool(
        f"dp-attack -a pgd --set steps=3 --evade-suspicion --calibration {file} {model} imgs -o {tmp_path}/adv"
    )
    assert attack.exit_code == 0, attack.stderr
    refused = tool(f"dp-classify --model mine.py:softmax --size 32 --suspect --calibration {file} imgs")
    assert refused.exit_code == 2
    assert "was measured for mine.py:network with weights" in refused.stderr
    adversarial = tool(f"dp-classify {model} --calibrate {tmp_path}/other.json", attack.stdout)
    assert adversarial.exit_code == 1
    assert "needs 20 clean images or more, better a few hundred, and got 0" in adversarial.stderr
    assert "this one was attacked" in adversarial.stderr
    assert not (tmp_path / "other.json").exists()
    assert (
        "not a file that dp-classify --calibrate wrote"
        in tool(f"dp-classify {model} --suspect --calibration names.txt imgs").stderr
    )


MISTAKES = {
    "--model mine.py": (2, "mine.py: name the function that returns the network: mine.py:FUNCTION"),
    "--model mine.py:netwrk --size 32": (2, "mine.py has no function 'netwrk' (did you mean network?)"),
    "--model mine.py:nothing --size 32": (
        3,
        "mine.py:nothing is or returns an object of type dict; expected an nn.Module",
    ),
    "--model mine.py:broken --size 32": (
        3,
        "mine.py:broken: mine.py:30: NameError: name 'undefined_name' is not defined",
    ),
    "--model mine.py:network": (
        2,
        "mine.py:network does not state its input size: give the side of its input in pixels, --size N",
    ),
    "--model mine.py:network --size 64": (2, "mine.py:network returns 4 x 7 for one image of 64 x 64 pixels"),
    "--model mine.py:network --size 40": (
        2,
        "for an image of 40 x 40 pixels: mine.py:13: RuntimeError: shape '[-1, 512]'",
    ),
    "--model mine.py:wrong --size 32": (2, "mine.py:wrong returns 1 x 8 x 30 x 30 for one image"),
    "--model nowhere.py:network": (3, "nowhere.py: No such file or directory"),
    "--model nowhere:network": (2, "no module 'nowhere' in the current directory"),
    "--model one.onnx --size 48": (2, "one.onnx accepts images of 32 x 32 pixels only, not 48"),
    "--model net.pt2 --size 48": (2, "net.pt2 accepts images of 32 x 32 pixels only, not 48"),
    "--model one.onnx --weights mine.pth": (2, "one.onnx contains its weights"),
    "--model nowhere.onnx": (3, "nowhere.onnx: No such file or directory"),
    "--model mine.pth": (2, "mine.pth: a .pth file is no model by itself"),
    "--model mine.py:network --size 32 --classes short.txt": (2, "3 class names were given, and mine.py:network has 7"),
    "--model mine.py:network --size 32 --classes nowhere.txt": (2, "classes nowhere.txt: No such file or directory"),
    "--model mine.py:network --size 32 --weights whole.pt": (3, "weights whole.pt: it holds more than tensors"),
    "--model mine.py:network --size 32 --weights ten.pth": (
        3,
        "weights ten.pth do not fit the model: fc.weight is 10 x 512, and the model needs 7 x 512",
    ),
    "--model mine.py:network --size 32 --weights less.pth": (3, "do not fit the model: the file lacks fc.bias"),
    "--model whole.pt2": (3, "whole.pt2: not a program that torch.export.save of this torch version wrote"),
    "--model mine.py:network --size 32 --mean 1,2": (2, "--mean 1,2: give three numbers for red, green and blue"),
    "--model mine.py:network --size 32 --suspect": (2, "dp-classify --calibrate FILE"),
    "--model resnet18 --weights mine.pth": (3, "weights mine.pth do not fit the model"),
    "--model clarifai:x --size 32": (2, "size, resize, mean and std apply to local models only"),
    "--model mine.py:leaves --size 32": (3, "mine.py:leaves: mine.py:36: SystemExit: 5"),
    "--model http://localhost:8000/v2/models/x": (2, "name it oip+http://localhost:8000/v2/models/x"),
    "--model mine.py:listed --size 32": (2, "mine.py:listed: Hidden.parts is a plain list, so PyTorch does not see"),
    "--model mine.py:nested --size 32": (2, "mine.py:nested: Hidden.parts is a plain dict"),
    "--model mine.py:listed_parameter --size 32": (2, "use nn.ParameterList or nn.ParameterDict"),
    "--model mine.py:lazy --size 32": (3, "mine.py:lazy: its weights cannot be read: RuntimeError: Can't access"),
    "--model mine.py:meta --size 32": (3, "mine.py:meta: its weights cannot be read: NotImplementedError: Cannot copy"),
    "--model mine.py:misdescribed": (2, "its pretrained_cfg is malformed: ValueError: not enough values to unpack"),
    "--model mine.py:undivided": (2, "its pretrained_cfg is malformed: ValueError: std must be above 0"),
    "--model timm:resnet1t": (2, "unknown model 'timm:resnet1t' (did you mean "),
}


@pytest.mark.parametrize("arguments", MISTAKES)
def test_mistakes_have_one_clear_line(arguments: str, tool: Tool, folder: Path) -> None:
    state = torch.load(folder / "mine.pth")
    torch.save(torch.nn.Conv2d(3, 8, 3), folder / "whole.pt")
    torch.save(torch.nn.Conv2d(3, 8, 3), folder / "whole.pt2")
    torch.save({**state, "fc.weight": torch.zeros(10, 512), "fc.bias": torch.zeros(10)}, folder / "ten.pth")
    torch.save({key: value for key, value in state.items() if key != "fc.bias"}, folder / "less.pth")
    (folder / "short.txt").write_text("cat\ndog\nfish\n")
    status, message = MISTAKES[arguments]
    done = tool(f"dp-classify {arguments} imgs/{_first()}")
    assert done.exit_code == status, done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_attack_that_needs_gradients_names_others_for_onnx(tool: Tool, tmp_path: Path) -> None:
    done = tool(f"dp-attack -a deepfool --model one.onnx --label 0 imgs -o {tmp_path}/adv")
    assert done.exit_code == 2
    assert "deepfool needs gradients, and one.onnx has none" in done.stderr
    assert "agn, bun, spn, square" in done.stderr


@pytest.mark.parametrize(
    ("options", "suggested", "not_suggested"),
    [
        ("-a pdg --model one.onnx", "'pdg': the model has no gradients, so choose agn, bun, spn, square or", "pgd"),
        ("-a pdg --transfer-from one.onnx", "so choose agn, bun, spn, square or", "pgd"),
        ("-a pgd --target 3 --model one.onnx", "computes it: choose GenAttack with --epsilon, or transfer", "agn"),
        ("-a pgd --transfer-from one.onnx", "HopSkipJumpAttack or BoundaryAttack\n", "--transfer-from"),
    ],
)
def test_messages_for_onnx_suggest_what_works(
    options: str, suggested: str, not_suggested: str, tool: Tool, tmp_path: Path
) -> None:
    done = tool(f"dp-attack {options} imgs -o {tmp_path}/adv")
    assert done.exit_code == 2
    assert suggested in done.stderr
    assert not_suggested not in done.stderr


@pytest.mark.parametrize("function", ["frozen", "rounding", "inference"])
def test_attacks_with_gradients_refuse_a_network_without_any(function: str, tool: Tool, tmp_path: Path) -> None:
    model = f"--model mine.py:{function} --size 32"
    done = tool(f"dp-attack -a pgd --label 0 {model} imgs -o {tmp_path}/adv")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert f"mine.py:{function}" in done.stderr
    assert "gradient" in done.stderr
    assert tool(f"dp-attack -a agn --set steps=2 --label 0 {model} imgs -o {tmp_path}/adv").exit_code == 0
