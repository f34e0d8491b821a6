"""Results that the Deep Protection paper reports (Ambati and Kulkarni 2018, sections 4.1 to 4.3).

They are shown beside the user's own results. They are not directly comparable: the paper uses another classifier
(resnet18) and other images.
"""

from dataclasses import dataclass

from dptools.evaluation.keys import NONE, uses_true_label

N_ATTACKED = 584
"""Number of attacked images in the paper: 73 that resnet18 classifies correctly, attacked in eight ways."""


@dataclass(frozen=True)
class PaperResult:
    """One accuracy from the paper.

    Attributes:
        description: What was measured.
        percent: The accuracy in per cent, approximate; the paper gives no intervals.
        n: Number of images.
        top: 1 for top-1 accuracy, 5 for top-5.
        clean: Whether the images are clean; otherwise they are attacked.
        criterion: The stopping criterion of the fits.
    """

    description: str
    percent: float
    n: int
    top: int
    clean: bool
    criterion: str

    def is_comparable(self, method: str) -> bool:
        """Return whether this result is comparable with a method: both stop by the true label, or neither does."""
        return method != NONE and uses_true_label(method) == (self.criterion == "oracle")


PAPER_RESULTS = (
    PaperResult("top-5, attacked, stopped by the true label (oracle)", 97.4, N_ATTACKED, 5, False, "oracle"),
    PaperResult("top-5, attacked, 1,750 iterations", 84.0, N_ATTACKED, 5, False, "fixed:1750"),
    PaperResult("top-1, attacked, 1,750 iterations", 71.2, N_ATTACKED, 1, False, "fixed:1750"),
    PaperResult("top-1, clean, 1,750 iterations", 69.0, 73, 1, True, "fixed:1750"),
)
