"""The attacks of the Deep Protection paper, section 2.2, through Foolbox 3 (arXiv 1707.04131)."""

import foolbox
from foolbox import PyTorchModel
from foolbox.criteria import Misclassification
from torch import Tensor

LEVEL = 1 / 255
"""One step between two 8-bit values."""


def gradient_sign(model: PyTorchModel, image: Tensor, label: Tensor, *, max_epsilon: int) -> Tensor:
    """The sign of the loss's gradient added, with the smallest magnitude that is misclassified.

    The magnitude grows by whole 8-bit steps: what lies between would be lost when the image is saved.

    Args:
        max_epsilon: the largest magnitude tried, in 1/255.
    """
    attack = foolbox.attacks.LinfFastGradientAttack(random_start=False)
    adversarial = image
    for level in range(1, max_epsilon + 1):
        adversarial = attack.run(model, image, Misclassification(label), epsilon=level * LEVEL)
        if (model(adversarial).argmax(dim=1) != label).all():
            break
    return adversarial


def deepfool(model: PyTorchModel, image: Tensor, label: Tensor, *, steps: int, overshoot: float) -> Tensor:
    """The nearest point, in L2, past the linearised border to another class."""
    attack = foolbox.attacks.L2DeepFoolAttack(steps=steps, overshoot=overshoot, loss="logits")
    raw, _, _ = attack(model, image, Misclassification(label), epsilons=None)
    return raw.clamp(0, 1)
