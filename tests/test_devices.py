"""Devices, also those of other machines: the GPU of a Mac, and cores that are only counted."""

import os

import pytest
import torch

from dptools.attacks.norms import perturbation_norms
from dptools.devices import available_cores, check_device, out_of_memory, resolve_device
from dptools.errors import SetupError, UsageError
from dptools.purifiers.precision import effective


@pytest.mark.parametrize("name", ["auto", "cpu", "cuda", "cuda:1", "mps"])
def test_names_of_devices(name: str) -> None:
    assert check_device(name) == name


@pytest.mark.parametrize("name", ["gpu", "mps:0", "cuda:", ""])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="choose auto, cpu, cuda, cuda:N or mps"):
        check_device(name)


def test_mps_is_used_only_where_torch_has_it_and_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SetupError, match="no Metal GPU"):
        resolve_device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("mps").type == "mps"
    assert resolve_device("auto").type == "cpu"
    assert effective(torch.device("mps"), "auto") == "fp32"


def test_memory_of_mps_can_be_exhausted() -> None:
    assert out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"))
    assert not out_of_memory(RuntimeError("MPS backend: no such operator"))


def test_the_cores_are_counted_where_their_number_cannot_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_cores() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert available_cores() == 10


def test_norms_are_computed_without_float64_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """MPS has no float64. Here a tensor that is not a copy on the CPU refuses it."""

    class OnMps(torch.Tensor):
        def cpu(self) -> torch.Tensor:  # type: ignore[override]
            return self.as_subclass(torch.Tensor)

        def double(self) -> torch.Tensor:  # type: ignore[override]
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    perturbation = torch.full((1, 3, 2, 2), 2 / 255).as_subclass(OnMps)
    assert perturbation_norms(perturbation)["linf_255"] == 2
