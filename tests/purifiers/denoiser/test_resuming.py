"""Interrupted trainings of the denoiser go on as if they had not been interrupted."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trainings import new_run

from dptools.purifiers.denoiser import DenoiserUNet
from dptools.purifiers.denoiser.training import loop
from dptools.purifiers.denoiser.training.__main__ import main
from dptools.purifiers.denoiser.training.loop import Schedule, Synthetic, train
from dptools.purifiers.denoiser.training.state import State


def pool(renewals: int = 0) -> Synthetic:
    """Return a small pool of synthetic images."""
    return Synthetic(3, torch.device("cpu"), 1, renewals=renewals)


def equal(one: State, other: State) -> bool:
    """Return whether the weights of two runs are equal, and so are their averages."""
    networks = (one.network, other.network), (one.average, other.average)
    pairs = [pair for a, b in networks for pair in zip(a.parameters(), b.parameters(), strict=True)]
    return all(torch.equal(*pair) for pair in pairs)


def strict_json(line: str) -> dict[str, Any]:
    """Return an object, unless the line holds Infinity or NaN, which JSON does not have."""
    values: dict[str, Any] = json.loads(line, parse_constant=lambda name: pytest.fail(name))
    return values


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Weights, their average, the optimiser and all random draws are the same as without the interruption."""
    settings: dict[str, Any] = {"batch": 2, "side": 32, "share": 1.0, "renew_every": 1}
    whole, half, resumed = new_run(), new_run(), new_run()
    torch.manual_seed(0)
    list(train(whole, None, pool(), Schedule(6, warm_up=2, cooldown=0), **settings))
    torch.manual_seed(0)
    list(train(half, None, pool(), Schedule(3, warm_up=2, cooldown=0), **settings))
    half.save(tmp_path)
    torch.rand(7)
    assert resumed.load(tmp_path)
    assert resumed.progress.seconds > 0
    list(train(resumed, None, pool(renewals=3), Schedule(6, warm_up=2, cooldown=0), **settings))
    assert equal(whole, resumed)
    assert all(path.stat().st_size <= 16 * 2**20 for path in tmp_path.iterdir())


@pytest.mark.parametrize("replaced", range(6))
def test_a_checkpoint_whose_writing_was_interrupted_leaves_the_last_one(
    replaced: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of a checkpoint are replaced one after another; this many of them before the interruption."""
    run, kept = new_run(), new_run()
    run.save(tmp_path)
    list(train(run, None, pool(), Schedule(1, warm_up=1), batch=2, side=32))
    calls, replace = iter(range(9)), os.replace

    def interrupted(source: Path, target: Path) -> None:
        if next(calls) == replaced:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.save(tmp_path)
    resumed = new_run()
    assert resumed.load(tmp_path)
    assert resumed.progress.iteration == 0
    assert equal(kept, resumed)
    assert not resumed.optimizer.state


def test_there_is_nothing_to_resume_in_an_empty_folder(tmp_path: Path) -> None:
    assert not new_run().load(tmp_path)


def test_the_command_writes_weights_and_resumes(photographs: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dptools.purifiers.denoiser.training", "--photographs", photographs, "-o"]
    command += [tmp_path / "out", "--pool", "2", "--batch", "2", "--side", "32", "--report-every", "1"]
    command += ["--cooldown", "0", "--device", "cpu"]
    for iterations, resumed in ((1, False), (2, True)):
        ran = subprocess.run([*command, "--iterations", str(iterations)], capture_output=True, text=True, check=True)
        lines = [strict_json(line) for line in ran.stdout.splitlines()]
        assert lines[0]["resumed"] == resumed
        assert [line["iteration"] for line in lines[1:]] == [iterations]
    weights = load_file(tmp_path / "out" / "weights.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    DenoiserUNet().load_state_dict({name: value.float() for name, value in weights.items()})
    subprocess.run([*command, "--iterations", "2", "-o", tmp_path / "whole"], capture_output=True, check=True)
    whole = load_file(tmp_path / "whole" / "weights.safetensors")
    assert all(torch.equal(value, whole[name]) for name, value in weights.items())


def test_the_time_of_reports_is_not_training_time(monkeypatch: pytest.MonkeyPatch) -> None:
    run, clock = new_run(), [0.0]
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    for _ in train(run, None, pool(), Schedule(2, warm_up=1), batch=2, side=32, report_every=1):
        clock[0] += 100
    assert run.progress.seconds == 0


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--iterations", "0", "0: give a number from 1"),
        ("--minutes", "0", "0: give a number from 0.01"),
        ("--synthetic", "2", "2: give a number from 0 to 1"),
        ("--side", "36", "invalid choice: 36"),
        ("--start", "nowhere", "nowhere"),
        ("--critics", "nothing", "nothing"),
    ],
)
def test_impossible_options_are_one_line_errors(
    option: str,
    value: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["training", "-o", str(tmp_path / "out"), option, value])
    with pytest.raises(SystemExit):
        main()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("python -m dptools.purifiers.denoiser.training: error: ")
    assert message in last
    assert not (tmp_path / "out").exists()
