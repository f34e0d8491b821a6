"""Run an attack on images, and judge the results by the 8-bit images that will be saved."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from dptools.attacks.attack import Attack
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.checks import check_classes, check_images, check_seeds
from dptools.attacks.early_stop import stop_when_broken
from dptools.attacks.judgement import Judgement
from dptools.attacks.lattice import round_adversarial, round_further, round_to_8bit, round_within_budget
from dptools.attacks.norms import Budget, perturbation_norms
from dptools.attacks.query_counter import QUERY_BATCH_SIZE, Stopped, query_batch_size
from dptools.attacks.raw_result import RawResult
from dptools.attacks.registry import find
from dptools.devices import free_memory, out_of_memory


@dataclass(frozen=True)
class AttackResult:
    """The result of an attack on one image.

    Attributes:
        image: 1 x 3 x H x W, multiples of 1/255 in [0, 1].
        scores: Logits of the image, one for each class. Behind a defence, they are means over the draws that judge it.
        success: Whether the attack succeeded. An untargeted attack succeeds if the predicted class differs from the
            label. A targeted attack succeeds if the predicted class is the target. Behind a defence, the predicted
            class is that of most draws.
        success_float: The same for the image before it was rounded to 8 bits; behind a defence, by the mean logits.
            None if unknown.
        judgement: The predictions behind a defence; None for an undefended classifier.
        measurements: See :class:`dptools.attacks.raw_result.RawResult`.
        norms: Norms of the 8-bit perturbation; see :func:`dptools.attacks.norms.perturbation_norms`.
        queries: Number of classifier queries; see :attr:`dptools.attacks.attack_batch.AttackBatch.queries`.
    """

    image: Tensor = field(repr=False)
    scores: Tensor = field(repr=False)
    success: bool
    success_float: bool | None
    judgement: Judgement | None
    measurements: dict[str, float] | dict[str, str]
    norms: dict[str, float]
    queries: int


def perturb(
    attack: Attack | str,
    classifier: nn.Module,
    images: Tensor,
    labels: Sequence[int] | Tensor,
    *,
    seeds: Sequence[int] | None = None,
    target: int | None = None,
    repair: bool = True,
) -> list[AttackResult]:
    """Attack images and return one result for each.

    On a CPU, every result is the same as if the image were attacked alone. If a GPU runs out of memory, the batch size
    of the classifier is halved for the rest of the process. The last bits of its logits may then differ.

    >>> attack = find("pgd").configure(epsilon=8 / 255, steps=20)
    >>> results = perturb(attack, model, images, labels)
    >>> adversarial = torch.cat([result.image for result in results])

    Args:
        attack: Attack with its settings, or the name of one; see :func:`dptools.attacks.find`.
        classifier: Maps B x 3 x H x W images in [0, 1] to B x classes logits; in evaluation mode.
        images: B x 3 x H x W float32 or float64 in [0, 1]. They are rounded to 8 bits first.
        labels: B true classes.
        seeds: B seeds for attacks that draw random numbers; None for 0, 1 and so on. The attacks restore the global
            random states.
        target: Target class; None for an untargeted attack.
        repair: Whether to search for an adversarial 8-bit image nearby if rounding undoes the attack. The search needs
            a few more queries, and gradients only if the attack does.

    Raises:
        TypeError: The images are not a tensor.
        ValueError: An argument has a wrong shape, type or value, or the attack lacks a setting.
        SampleError: The attack cannot run on these images.
        SetupError: The attack needs a package that is not installed.
    """
    attack = find(attack) if isinstance(attack, str) else attack
    labels, seeds = [int(label) for label in labels], range(len(images)) if seeds is None else seeds
    check_images(images)
    check_classes(labels, target, len(images))
    check_seeds(seeds, len(images))
    attack.check(targeted=target is not None, values_per_image=images[:1].numel() or None)
    images = round_to_8bit(images)
    while True:
        size = query_batch_size(classifier, images.device)
        try:
            batches = _batches(classifier, images, labels, seeds, target, size if attack.batchable else 1)
            return [result for batch in batches for result in run_batch(attack, batch, repair=repair)]
        except Exception as error:
            if size == 1 or hasattr(classifier, "query_batch_size") or not out_of_memory(error):
                raise
        free_memory()
        QUERY_BATCH_SIZE[images.device.type] = size // 2


def run_batch(attack: Attack, batch: AttackBatch, *, repair: bool = True) -> list[AttackResult]:
    """Attack all images of a batch at once and return one result for each; see :func:`perturb`.

    An attack on a defended classifier ends as soon as its image is broken; see
    :func:`dptools.attacks.early_stop.stop_when_broken`.
    """
    try:
        with stop_when_broken(batch, Budget(attack.norm, attack.epsilon)):
            raw = attack(batch)
    except Stopped as stop:
        raw = RawResult(stop.images)
    batch.counted.release_graph()
    return [_result(batch, row, *raw.row(row), attack, repair) for row in range(batch.num_images)]


def _batches(
    classifier: nn.Module, images: Tensor, labels: Sequence[int], seeds: Sequence[int], target: int | None, size: int
) -> Iterator[AttackBatch]:
    """Yield batches of ``size`` rows, padded with the last image.

    The size is constant, because the last bits of a result can depend on it.
    """
    for start in range(0, len(images), size):
        rows = [min(row, len(images) - 1) for row in range(start, start + size)]
        yield AttackBatch(
            classifier,
            images[rows],
            [labels[row] for row in rows],
            seeds=[seeds[row] for row in rows],
            target=target,
            query_batch_size=size,
            num_images=min(size, len(images) - start),
        )


def _result(
    batch: AttackBatch,
    row: int,
    unrounded: Tensor,
    measurements: dict[str, float] | dict[str, str],
    attack: Attack,
    repair: bool,
) -> AttackResult:
    success_float = bool(batch.margins(row, unrounded) > 0)
    budget, clean = Budget(attack.norm, attack.epsilon), batch.images[row : row + 1]
    if repair and success_float:
        round_ = round_adversarial if attack.uses_gradients else round_further
        image = round_(batch, row, unrounded, budget)
    else:
        image = round_within_budget(clean, unrounded, budget)
    norms = perturbation_norms(image - clean)
    if judge := getattr(batch.classifier, "judge", None):
        judgement = Judgement(judge(image))
        scores, success = judgement.mean, judgement.is_success(int(batch.labels[row]), batch.target)
    else:
        judgement, scores = None, batch.scores(row, image)[0]
        success = bool(batch.margins_of(row, scores[None]) > 0)
    return AttackResult(image, scores, success, success_float, judgement, measurements, norms, batch.queries[row])
