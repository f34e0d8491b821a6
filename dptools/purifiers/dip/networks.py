"""The networks by name, without torch until one is made."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dptools.purifiers.dip.network import Network

NETWORKS = {
    "warm": "denoiser.warm",
    "small": "dip.hourglass",
    "paper": "dip.hourglass",
    "decoder": "dip.hourglass",
}
"""The module in which a function of the network's name returns it. A new one is such a function, and a line here."""


def make_network(name: str) -> "Network":
    """The network of this name, with weights of its own."""
    network: Network = getattr(import_module(f"dptools.purifiers.{NETWORKS[name]}"), name)()
    return network
