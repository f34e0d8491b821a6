"""Help, versions and usage errors, which take no time because they do not import torch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FOLDERS, Run

TOOLS = ("attack", "denoise", "classify", "eval", "mapsext")
HEAVY = {
    "torch",
    "torchvision",
    "foolbox",
    "numpy",
    "PIL",
    "scipy",
    "rich",
    "fastjsonschema",
    "matplotlib",
    "ray",
    "skimage",
    "pywt",
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["--no-such-option"]])
def test_help_version_and_usage_errors_import_nothing_heavy(tool: str, arguments: list[str]) -> None:
    program = (
        "import json, sys\n"
        f"sys.argv = ['dp-{tool}', *{arguments}]\n"
        f"from dptools.tools.{FOLDERS.get(tool, tool)}.command import main\n"
        "try: main()\n"
        "finally: print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == (2 if arguments == ["--no-such-option"] else 0), done.stderr
    assert not HEAVY & set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("tool", TOOLS)
def test_version_and_short_help(tool: str, in_process: Run) -> None:
    from importlib.metadata import version

    done = in_process(f"dp-{tool} --version")
    assert done.stdout == f"dp-{tool} (dptools) {version('deep-protection')}\n"
    assert in_process(f"dp-{tool} -h").stdout == in_process(f"dp-{tool} --help").stdout != ""


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "dp-attack -a fgsm x.png -o o",
            "dp-attack: unknown attack 'fgsm' (did you mean gs, FGSM, FGM, MIFGSM?): choose gs, agn",
        ),
        ("dp-attack -a deepfol x.png -o o", "dp-attack: unknown attack 'deepfol' (did you mean deepfool, L2DeepFool"),
        ("dp-attack x.png", "dp-attack: -o DIR is needed: images go there, and records to standard output"),
        ("dp-attack x.png", "; for one image: dp-attack < IMAGE > OUT.png"),
        (
            "echo x | dp-attack",
            "dp-attack: standard input is no image and was read as a list of paths; -o DIR is needed: images go",
        ),
        (
            "dp-denoise x.jpg -o y.png",
            "dp-denoise: -o y.png: expected a directory; for one image: dp-denoise < x.jpg > y",
        ),
        ("touch x.png; dp-classify --label marmott x.png", "class name (did you mean marmot, marmoset?)"),
        ("echo GIF89a > a.gif; dp-eval a.gif", "dp-eval: a.gif: this is an image, not a file of records"),
        ("dp-attack -a all -", "dp-attack: -o DIR is needed: one image would become 8"),
        (
            "dp-classify -0 --from jsonl",
            "dp-classify: -0 is for paths: it cannot be combined with --from jsonl",
        ),
        ("dp-attack --set steps x.png -o o", "dp-attack: --set 'steps': give NAME=VALUE, or ATTACK.NAME=VALUE"),
        (
            "dp-attack --set stepz=3 x.png -o o",
            "dp-attack: --set: gs has no parameter 'stepz': it takes steps, ceiling",
        ),
        ("dp-attack --set cw.steps=3 x.png -o o", "dp-attack: --set: cw is not one of the chosen attacks: gs"),
        ("dp-attack --epsilon 8 x.png -o o", "dp-attack: --epsilon: gs needs an epsilon above 0 and at most 1"),
        ("dp-attack -a PGD x.png -o o", "dp-attack: --epsilon: PGD needs an epsilon"),
        ("dp-attack -a all --target 3 x.png -o o", "dp-attack: --target: gs does not support a target class"),
        ("dp-attack --eot 3 x.png -o o", "dp-attack: --eot needs --through"),
        ("dp-attack --through jpeg:0 x.png -o o", "dp-attack: --through: method jpeg:0: give quality from 1 to 95"),
        (
            "dp-attack --through denoise x.png -o o",
            "dp-attack: --through: unknown method 'denoise' (did you mean denoiser?): choose fast, denoiser,",
        ),
        ("touch f; dp-denoise -o f x.png", "dp-denoise: -o f: not a directory"),
        ("dp-eval --json --table", "dp-eval: --json and --table exclude each other"),
        ("dp-classify -o out x.png", "dp-classify: -o is for tools that make images; for the records: dp-classify"),
        ("dp-denoise -o x.tar.gz", "dp-denoise: -o x.tar.gz: compressed shards are not written"),
        ("mkdir d.tar; dp-denoise -o d.tar x.png", "dp-denoise: -o d.tar: not a file; a name that ends in .tar means"),
        ("dp-denoise -o y.png a.jpg b.jpg", "dp-denoise: -o y.png: expected a directory; for several images: dp-deno"),
        ("mkdir d; dp-denoise -o d d", "dp-denoise: -o d: the input d would be mixed with the outputs, which the n"),
        ("touch d.tar; dp-denoise -o d.tar d.tar", "dp-denoise: -o d.tar: the input d.tar would be replaced"),
        ("printf 'a\\0b\\0' | dp-classify", "dp-classify: standard input contains NUL bytes: add -0 if each path ends"),
        ("printf 'a\\1b' | dp-classify", "dp-classify: standard input is binary data in an unknown format"),
        ("printf '%%PDF-1.7\n' | dp-classify", "dp-classify: standard input is a PDF file: render its pages first"),
        ("echo '[{}]' | dp-classify", "dp-classify: standard input is a JSON array: make a line of each element (jq -"),
        ("echo '[\"a\"]' | dp-classify", "standard input is a JSON array: make a line of each element (jq -r"),
        ("printf '{\n}' | dp-classify", "stdin: this JSON is not one record per line: convert it with jq -c ."),
        ("echo '[{}]' | dp-eval", "dp-eval: -: not a file of records: standard input is a JSON array"),
        ("tar c . | dp-eval", "dp-eval: -: a tar or compressed file, not a file of records"),
        (
            "dp-mapsext --words --format txt -o - x.png",
            "dp-mapsext: -o -: standard output takes the text: name a direc",
        ),
        (
            "dp-denoise --method dip --network unet x.png -o o",
            "dp-denoise: unknown network 'unet': choose small, paper, decoder",
        ),
        ("dp-denoise --method dip --loss l1 x.png -o o", "dp-denoise: unknown loss 'l1': choose mse, huber, student-t"),
        (
            "dp-denoise --method tv --loss mse x.png -o o",
            "dp-denoise: --loss requires a method with a network, and --method tv is a filter",
        ),
        (
            "dp-denoise --method blur x.png -o o",
            "dp-denoise: unknown method 'blur': choose fast, denoiser, perceptual, smoothing, photo, zero-shot, dip",
        ),
        ("dp-denoise --method jpeg:0 x.png -o o", "dp-denoise: method jpeg:0: give quality from 1 to 95"),
        ("dp-denoise --method tv --stop fixed:9 x.png -o o", "dp-denoise: --stop requires a method with a network"),
        ("dp-denoise --stop held-out x.png -o o", "dp-denoise: --stop requires a deep image prior"),
        ("dp-denoise --network small x.png -o o", "dp-denoise: --network requires a deep image prior"),
        (
            "dp-denoise --method dip --stop never x.png -o o",
            "dp-denoise: unknown stopping criterion 'never': choose fixed:N, held-out",
        ),
        (
            "dp-denoise --method dip --stop fixed:0 x.png -o o",
            "dp-denoise: stopping criterion fixed:N needs a whole number",
        ),
        ("dp-denoise --precision fp8 x.png -o o", "dp-denoise: unknown precision 'fp8': choose auto, fp32, bf16"),
        ("dp-mapsext --rule ink x.png -o o", "dp-mapsext: unknown rule 'ink': choose letters, paper, otsu, sauvola"),
        (
            "dp-mapsext --reader human x.png -o o",
            "dp-mapsext: unknown reader 'human': choose rapidocr, tesseract, tess",
        ),
        ("dp-mapsext --format tsv x.png", "dp-mapsext: unknown format 'tsv' (did you mean csv?): choose jsonl,"),
        (
            "dp-mapsext --words x.png",
            "dp-mapsext: -o DIR is needed: images go there, and records to standard output; for one image: dp-mapsext "
            "< IMAGE > OUT.png; for the words alone, --format txt, csv or geojson and no -o",
        ),
        (
            "dp-mapsext --words --lang deu x.png",
            "dp-mapsext: --lang deu: RapidOCR reads all languages at once; others than eng only keep accents",
        ),
        ("dp-mapsext --lang deu x.png -o o", "dp-mapsext: --lang has no effect unless words are read: add --words"),
        (
            "dp-mapsext --overlay o.gif x.png -o o",
            "dp-mapsext: --overlay o.gif: name a directory, or a file that ends in",
        ),
        ("dp-eval --maps . --csv x.jsonl", "dp-eval: --maps cannot be combined with --csv or --report"),
        ("dp-mapsext --iterations 9 x.png -o o", "dp-mapsext: --iterations 9 requires --rule paper: no other"),
        ("dp-classify --device gpu x.png", "dp-classify: unknown device 'gpu': choose auto, cpu, cuda, cuda:N or mps"),
        ("dp-eval nothing.jsonl", "dp-eval: nothing.jsonl: No such file or directory"),
        ("mkdir d; dp-eval d", "dp-eval: d: this is a directory, not a file of records: dp-classify d | dp-eval"),
        ("touch f; dp-eval --figures f r.jsonl", "dp-eval: --figures f: no file can be created in f: Not a directory"),
        ("dp-classify -j 0 x.png", "Error: Invalid value for '-j' / '--jobs'"),
        ("dp-classify --top-q 3 x.png", "Error: No such option: --top-q"),
        ("dp-denoise -o '' x.png", "Error: Invalid value for '-o' / '--out': the name is empty"),
        (
            "dp-classify --calibrate a.jpg b.jpg",
            "dp-classify: --calibrate a.jpg: this image would be replaced: name FILE.json first",
        ),
        (
            "dp-eval --report a.jsonl b.jsonl",
            "dp-eval: --report a.jsonl: a report is HTML, and would replace records: name FILE.html first",
        ),
        ("dp-eval --report /proc/r.html", "dp-eval: --report /proc/r.html: no file can be created in /proc"),
        ("touch f; dp-eval --figures f", "dp-eval: --figures f: no file can be created in f: Not a directory"),
        (
            "touch ./-dash.jpg; dp-denoise -o o -dash.jpg",
            "dp-denoise: -dash.jpg begins like an option: to name the file, write ./-dash.jpg, or -- before",
        ),
    ],
)
def test_usage_error_names_the_choices_and_exits_with_2(command: str, message: str, in_process: Run) -> None:
    done = in_process(command)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_terminal_on_stdin_is_a_usage_error(environment: dict[str, str], tmp_path: Path) -> None:
    master, terminal = os.openpty()
    for tool in TOOLS:
        done = subprocess.run(
            [f"dp-{tool}"], stdin=terminal, capture_output=True, text=True, env=environment, cwd=tmp_path
        )
        assert done.returncode == 2
        assert done.stderr.startswith(f"Usage: dp-{tool}")
        assert f"dp-{tool}: no input" in done.stderr
    os.close(master)
    os.close(terminal)


def test_image_is_not_written_to_a_terminal(dog: Path, environment: dict[str, str], tmp_path: Path) -> None:
    master, terminal = os.openpty()
    with dog.open("rb") as image:
        done = subprocess.run(
            ["dp-denoise"],
            stdin=image,
            stdout=terminal,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
    os.close(terminal)
    os.close(master)
    assert done.returncode == 2
    assert "redirect it to a file, or name a directory with -o" in done.stderr


AUTO = ("apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square", "autoattack")


def test_list_of_attacks(sh: Run) -> None:
    listed = sh("dp-attack --list").stdout.splitlines()
    short = [line.split()[0] for line in listed[: listed.index("")] if not line.startswith(" ")]
    assert short == ["gs", "agn", "bun", "adef", "newtonfool", "deepfool", "cw", "spn", "pgd", *AUTO, "all"]
    assert "            steps=50 candidates=10 overshoot=0.02" in listed
    assert "DDNAttack(init_epsilon=1, steps=100, gamma=0.05)" in listed
    assert "LinfFastGradientAttack(random_start=false, epsilon=...)" in listed
