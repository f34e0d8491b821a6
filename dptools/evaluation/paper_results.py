"""What the Deep Protection paper reports (Ambati and Kulkarni 2018, sections 4.1 to 4.3), to stand beside one's own
figures: of another network, resnet18, on other images."""

from dataclasses import dataclass

SAMPLES = 584
"""Attacked images: 73 that resnet18 gets right, in eight ways."""


@dataclass(frozen=True)
class Published:
    """One figure.

    Attributes:
        what: was measured.
        percent: about; the paper gives no intervals.
        n: images.
        top: the label is among so many classes.
        clean: of clean images.
        rule: that ended the fits.
    """

    what: str
    percent: float
    n: int
    top: int
    clean: bool
    rule: str

    def like(self, method: str) -> bool:
        """A method of one's own is of the same kind: its stop knows the label too, or it does not."""
        return method != "none" and method.endswith(" oracle") == (self.rule == "oracle")


PAPER = (
    Published("top-5, attacked, stop that knows the label", 97.4, SAMPLES, 5, False, "oracle"),
    Published("top-5, attacked, 1,750 steps", 84.0, SAMPLES, 5, False, "fixed:1750"),
    Published("top-1, attacked, 1,750 steps", 71.2, SAMPLES, 1, False, "fixed:1750"),
    Published("top-1, clean, 1,750 steps", 69.0, 73, 1, True, "fixed:1750"),
)
