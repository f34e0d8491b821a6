"""Fields of the ``attack`` object of a record."""

from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.pipe.record import Record

if TYPE_CHECKING:
    from dptools.attacks import AttackResult, Judgement
    from dptools.classifiers import Classes


def settings(attack: Attack, target: int | None) -> Record:
    """Return the attack's name and settings."""
    epsilon = {} if attack.epsilon is None else {"epsilon": attack.epsilon, "norm": attack.norm}
    return {"name": attack.name, "params": attack.settings, **epsilon, **({} if target is None else {"target": target})}


def prediction(judgement: "Judgement", label: int, kind: str, classes: "Classes") -> Record:
    """Return the predicted class, its probability and the rank of the label.

    Args:
        judgement: The logits of the image.
        label: The true class.
        kind: The start of the keys: ``clean`` or ``adversarial``.
        classes: The classifier's classes.
    """
    from dptools.classifiers import rank

    probabilities, predicted = judgement.mean.float().softmax(dim=0).cpu(), judgement.majority
    return {
        f"{kind}_label": predicted,
        f"{kind}_name": classes.names[predicted],
        f"{kind}_p": round(float(probabilities[predicted]), 4),
        f"{kind}_rank": rank(judgement.ranking.cpu(), label),
    }


def result(attacked: "AttackResult") -> Record:
    """Return the success and the size of the perturbation."""
    before_rounding = {} if attacked.success_float is None else {"success_float": attacked.success_float}
    return {
        "success": attacked.success,
        **before_rounding,
        **attacked.measurements,
        "norms": attacked.norms,
        "queries": attacked.queries,
    }


def judgement(clean: "Judgement", adversarial: "Judgement | None", label: int) -> Record:
    """Return how many draws of a defence predict the label, for the clean and for the attacked image."""
    facts: Record = {"draws": clean.draws, "clean_correct": clean.share(label)}
    if adversarial is None:
        return {"judge": facts}
    share, majority = adversarial.share(label), adversarial.majority
    votes = {"majority_label": majority, "majority_correct": majority == label}
    return {"judge": {**facts, "correct": share, "all_correct": share == 1, **votes}}
