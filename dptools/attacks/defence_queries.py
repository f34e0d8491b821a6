"""Questions of an attack to a defended classifier, or to the source of a transfer."""

from torch import Tensor

from dptools.attacks.attack_batch import AttackBatch


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
