"""Modules of one kind called together, as a GPU likes it: each with its own weights, on its own row of the inputs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class Together:
    """Modules that differ in their weights only. Their weights are stacked, so that a convolution of each is one
    grouped convolution of all (:func:`torch.func.vmap`). One module alone is called as it is."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        self.member = members[0]
        self.alone = len(members) == 1
        stacked = {} if self.alone else stack_module_state(list(members))[0]
        self.stacked = {name: nn.Parameter(value.detach()) for name, value in stacked.items()}

    def __call__(self, *inputs: Tensor) -> Tensor:
        """What each member makes of its row of the inputs, B x ...; one alone sees all rows."""
        if self.alone:
            made: Tensor = self.member(*inputs)
            return made

        def one(weights: dict[str, Tensor], *row: Tensor) -> Tensor:
            made: Tensor = functional_call(self.member, weights, tuple(each[None] for each in row))
            return made.squeeze(0)

        rows: Tensor = vmap(one)({**self.stacked}, *inputs)
        return rows

    def parameters(self) -> list[nn.Parameter]:
        """What an optimizer changes."""
        return list(self.member.parameters() if self.alone else self.stacked.values())

    def keep(self, rows: Sequence[int], optimizer: torch.optim.Optimizer) -> None:
        """Let all members go but those of these rows, and what the optimizer knows of them too."""
        if self.alone:
            return
        for name, old in self.stacked.items():
            kept = nn.Parameter(old.detach()[rows])
            known = optimizer.state.pop(old, {})
            optimizer.state[kept] = {key: value[rows] if value.ndim else value for key, value in known.items()}
            for group in optimizer.param_groups:
                group["params"] = [kept if each is old else each for each in group["params"]]
            self.stacked[name] = kept


def optimizer_of(rates: Sequence[tuple[Together, float]]) -> torch.optim.Optimizer:
    """Adam for several, each at its own rate."""
    groups = [{"params": members.parameters(), "lr": rate} for members, rate in rates]
    return torch.optim.Adam([group for group in groups if group["params"]], fused=True)
