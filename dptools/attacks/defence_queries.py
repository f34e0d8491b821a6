"""Questions of an attack to a defended classifier, or to the source of a transfer."""

from typing import Any

from eagerpy import astensor
from foolbox.criteria import Criterion, Misclassification, TargetedMisclassification
from torch import Tensor, full_like

from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.lattice import round_to_8bit


def ends_at_success(batch: AttackBatch) -> bool:
    """Return whether the attack ends at the first success, unless it is transferred to another classifier."""
    return bool(getattr(batch.classifier, "ends_early", True))


def is_random(batch: AttackBatch) -> bool:
    """Return whether the defence draws random numbers."""
    return bool(getattr(batch.classifier, "stochastic", False))


def reliable_logits(batch: AttackBatch, images: Tensor) -> Tensor:
    """Return the logits; if they fool a random defence, the mean over the draws that judge an image."""
    scores: Tensor = batch.counted(images).detach()
    return judged_logits(batch, images) if batch.all_succeed(images, scores) else scores


def reliable_margins(batch: AttackBatch, row: int, candidates: Tensor) -> list[float]:
    """Return the margins of candidates, K x 3 x H x W; where one fools a random defence, by the draws that judge it.

    Otherwise a search for the weakest perturbation would end at one lucky draw.
    """
    margins = [float(margin) for margin in batch.margins(row, candidates)]
    if not is_random(batch):
        return margins
    return [
        float(batch.margins_of(row, judged_logits(batch, image))) if margin > 0 else margin
        for margin, image in zip(margins, candidates[:, None], strict=True)
    ]


def judged_logits(batch: AttackBatch, image: Tensor) -> Tensor:
    """Return the logits by which an image is judged, 1 x classes: means over several draws behind a random defence."""
    judge = getattr(batch.classifier, "judge", None)
    return judge(image).mean(dim=0, keepdim=True) if judge else batch.scores(0, image)


def is_confirmed(batch: AttackBatch, image: Tensor) -> bool:
    """Return whether an image, 1 x 3 x H x W, is adversarial in all draws that judge it."""
    confirms: Any = batch.classifier.confirms
    return bool(confirms(image, lambda logits: bool(batch.margins_of(0, logits) > 0)))


def reliable_criterion(batch: AttackBatch) -> Criterion:
    """Return the success criterion for an attack whose result is the first or the nearest adversarial image.

    A random defence is only fooled if the image, rounded to 8 bits, is adversarial in all draws that judge it.
    Otherwise one lucky draw would choose the result, and most other draws would not be fooled by it. An image that met
    the criterion once meets it always, as some attacks require.
    """
    if not (is_random(batch) and hasattr(batch.classifier, "confirms")):
        return batch.criterion
    return _Confirmed(batch) if batch.target is None else _ConfirmedTarget(batch, batch.target)


class _Confirmation:
    """The decision whether all draws that judge an image confirm the success in one draw."""

    def __init__(self, batch: AttackBatch) -> None:
        self.batch, self.confirmed = batch, set[int]()

    def __call__(self, perturbed: Any, success: Any) -> Any:
        """Return the decision for the only image of the batch.

        Args:
            perturbed: The image, 1 x 3 x H x W, a tensor of torch or eagerpy.
            success: Whether it is adversarial in one draw; a tensor with one value, as the result.
        """
        image: Tensor = astensor(perturbed).raw
        key = hash(image.cpu().numpy().tobytes())
        if key not in self.confirmed and success.all() and is_confirmed(self.batch, round_to_8bit(image)):
            self.confirmed.add(key)
        return success == success if key in self.confirmed else success != success


class _Confirmed(Misclassification):
    """Misclassification in all draws that judge an image."""

    def __init__(self, batch: AttackBatch) -> None:
        super().__init__(batch.labels)
        self.confirmation = _Confirmation(batch)

    def __call__(self, perturbed: Any, outputs: Any) -> Any:
        return self.confirmation(perturbed, super().__call__(perturbed, outputs))


class _ConfirmedTarget(TargetedMisclassification):
    """Prediction of the target in all draws that judge an image."""

    def __init__(self, batch: AttackBatch, target: int) -> None:
        super().__init__(full_like(batch.labels, target))
        self.confirmation = _Confirmation(batch)

    def __call__(self, perturbed: Any, outputs: Any) -> Any:
        return self.confirmation(perturbed, super().__call__(perturbed, outputs))
