"""Check and time all code paths that run on a GPU: ``make gpu``; under five minutes; exit status 1 if one fails.

Needs PyTorch with torchvision, Pillow, safetensors and the weights of the classifier; nothing is installed.
"""

import argparse
import copy
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[2]))

from cuda_graph import Slot, run

from dptools.attacks import DefendedModel
from dptools.classifiers import load as load_classifier
from dptools.purifiers import DeepImagePrior, Denoiser
from dptools.purifiers.denoiser import DENOISER, FAST, PHOTO, DenoiserUNet
from dptools.purifiers.denoiser.training.loop import Schedule, Synthetic, train
from dptools.purifiers.denoiser.training.state import State
from dptools.purifiers.dip import DIP, PAPER, Fixed
from dptools.purifiers.dip.networks import paper

BATCHES = (1, 16, 64)


def images(count: int, device: torch.device) -> Tensor:
    """Return smooth noisy images, count x 3 x 224 x 224, different and always the same."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 14, 14, generator=generator)
    noise = torch.randn(count, 3, 224, 224, generator=generator)
    smooth = nn.functional.interpolate(coarse, size=(224, 224), mode="bicubic")
    return (smooth + 0.03 * noise).clamp(0, 1).to(device)


def seconds(function: Callable[[], object], device: torch.device) -> float:
    """Return the time of a second call; the first one loads and compiles."""
    for _ in range(2):
        begun = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
    return time.perf_counter() - begun


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a.cpu() - b.cpu()).square().mean().clamp(min=1e-12).log10())


def check_denoiser(device: torch.device) -> None:
    for name, settings in (("denoiser", DENOISER), ("fast", FAST), ("photo", PHOTO)):
        purify, alone = Denoiser(settings).to(device), None
        for count in BATCHES:
            batch, seeds = images(count, device), list(range(count))
            with torch.no_grad():
                taken = seconds(lambda b=batch, s=seeds, p=purify: p(b, seeds=s), device)  # type: ignore[misc]
                output = purify(batch, seeds=seeds)
            alone = output[:1] if alone is None else alone
            near = psnr(output[:1], alone)
            print(f"{name}: batch {count}: {count / taken:.0f} images/s; PSNR to batch 1: {near:.1f} dB")
            assert near > 45
        exact = Denoiser(replace(settings, precision="fp32"))(images(1, torch.device("cpu")), seeds=[0])
        print(f"{name}: PSNR to fp32 on the CPU: {psnr(alone, exact):.1f} dB")
        assert psnr(alone, exact) > 40
        variable = images(2, device).requires_grad_()
        purify(variable, seeds=[0, 1]).sum().backward()
        assert variable.grad is not None
        assert variable.grad.isfinite().all()


def check_fits(device: torch.device) -> None:
    for name, settings, steps in (("dip", DIP, 60), ("paper", PAPER, 20)):
        prior = DeepImagePrior(replace(settings, stop=Fixed(steps), max_iterations=steps))
        taken = seconds(lambda p=prior: p.restore(images(1, device), seed=0), device)  # type: ignore[misc]
        print(f"{name}: {1e3 * taken / steps:.2f} ms per step")


def check_graphs(device: torch.device) -> None:
    """Compare the loss of fits in CUDA graphs with that of the plain loop."""
    image = images(1, device)
    steps = 40
    losses: list[float] = []
    prior = DeepImagePrior(replace(PAPER, stop=Fixed(steps), max_iterations=steps))
    prior.restore(image, seed=0, observe=lambda step: losses.append(step.loss))
    slots: list[Slot] = []
    for count in (1, 4, 8):
        while len(slots) < count:
            slots.append(Slot(paper, (1, 3, 224, 224), device, steps=200))
        for slot in slots:
            slot.load(image, image, 0)
        run(slots, steps)
        reached = float(slots[0].statistics[steps - 1, 0])
        begun = time.perf_counter()
        run(slots, 100)
        taken = time.perf_counter() - begun
        print(f"paper, {count} CUDA graphs: {10 * taken / count:.2f} ms per image-step")
        print(f"loss after {steps} steps: {reached:.5f}; in the loop: {losses[-1]:.5f}")
        assert abs(reached - losses[-1]) < 0.3 * losses[-1]


def check_training(device: torch.device) -> None:
    pool = Synthetic(256 if device.type == "cuda" else 2, device, 128 if device.type == "cuda" else 1)
    for batch in (64, 512) if device.type == "cuda" else (2,):
        network = DenoiserUNet().to(device)
        optimizer = torch.optim.AdamW(network.parameters(), fused=True)
        state = State(network, copy.deepcopy(network), optimizer, random.Random(0))
        settings = {"batch": batch, "share": 1.0, "renew_every": 10**9}
        list(train(state, None, pool, Schedule(5), **settings))  # type: ignore[arg-type]
        begun = time.perf_counter()
        losses = list(train(state, None, pool, Schedule(35), **settings))  # type: ignore[arg-type]
        if device.type == "cuda":
            torch.cuda.synchronize()
        speed = 30 * batch / (time.perf_counter() - begun)
        print(f"training, batch {batch}: {speed:.0f} patches/s, loss {losses[-1]:.4f}")


def check_classifier(device: torch.device) -> None:
    classifier = load_classifier("efficientnet-lite0", device=str(device))
    expected = load_classifier("efficientnet-lite0", device="cpu")(images(1, torch.device("cpu")))
    for count in BATCHES:
        batch = images(count, device)
        with torch.no_grad():
            taken = seconds(lambda b=batch: classifier(b), device)  # type: ignore[misc]
            scores = classifier(batch)
        print(f"efficientnet-lite0: batch {count}: {count / taken:.0f} images/s")
        assert (scores[:1].cpu() - expected).abs().max() < 0.1


def check_smoothing(device: torch.device) -> None:
    try:
        from dptools.certify import Smoothed
    except ImportError as error:
        print(f"skipped: {error}")
        return
    classifier = load_classifier("efficientnet-lite0", device=str(device))
    smoothed = Smoothed(classifier, Denoiser(PHOTO).to(device), sigma=0.25)
    draws = 2048 if device.type == "cuda" else 16
    image = images(1, device)
    taken = seconds(lambda: smoothed.predict(image, draws=draws), device)
    print(f"smoothing: {draws / taken:.0f} draws/s")
    assert smoothed.certify(image, draws=draws) == smoothed.certify(image, draws=draws)


def check_defended(device: torch.device) -> None:
    classifier = load_classifier("efficientnet-lite0", device=str(device))
    gradients = {}
    for draws in (1, 4, 20) if device.type == "cuda" else (1, 2):
        model = DefendedModel(classifier, Denoiser().to(device), eot_samples=draws, seed=0)

        def gradient(model: nn.Module = model) -> Tensor:
            leaf = images(1, device).requires_grad_()
            (found,) = torch.autograd.grad(model(leaf).amax(), leaf)
            return found

        print(f"exact gradient, {draws} draws: {1000 * seconds(gradient, device):.0f} ms")
        gradients[draws] = gradient()
    assert all(found.isfinite().all() and found.abs().max() > 0 for found in gradients.values())


def main() -> int:
    """Run all checks; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    device = torch.device(parser.parse_args().device)
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    print(f"PyTorch {torch.__version__}, {where}", flush=True)
    checks = [check_denoiser, check_fits, check_training, check_classifier, check_smoothing, check_defended]
    status = 0
    for check in [*checks, *([check_graphs] if device.type == "cuda" else [])]:
        begun = time.perf_counter()
        try:
            check(device)
            print(f"{check.__name__}: passed, {time.perf_counter() - begun:.0f} s", flush=True)
        except Exception:
            traceback.print_exc(limit=-3)
            print(f"{check.__name__}: FAILED", flush=True)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
