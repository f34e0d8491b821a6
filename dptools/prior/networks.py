"""The networks by name. A new one is one function that returns a Network, and one line here."""

from collections.abc import Callable

from dptools.prior.hourglass import decoder, paper, small
from dptools.prior.network import Network
from dptools.prior.warm import warm

NETWORKS: dict[str, Callable[[], Network]] = {"warm": warm, "small": small, "paper": paper, "decoder": decoder}
