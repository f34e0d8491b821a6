"""Groups of dp-eval for images that dp-denoise fits behind a gate."""

from dptools.evaluation.keys import method
from dptools.tools.denoise.gate import Gate
from dptools.tools.denoise.options import DenoiseOptions
from dptools.tools.denoise.overrides import Overrides


def test_a_fit_behind_a_gate_is_named_with_its_stopping_criterion() -> None:
    gate = DenoiseOptions("dip", Overrides(stops=("fixed:5",)), device="cpu", if_suspect=0.95).load()
    assert isinstance(gate, Gate)
    record = {"denoise": {"method": "none", "gate": {"threshold": 0.95, "suspect": False, "method": gate.method}}}
    assert method(record) == "dip fixed:5 if suspect"
