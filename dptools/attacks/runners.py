"""The implementations of the attacks. They are imported when called, so that names can be listed without torch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dptools.attacks.attack_batch import AttackBatch
    from dptools.attacks.raw_result import RawResult


def gradient_sign(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.strength_search.gradient_sign`."""
    from dptools.attacks.strength_search import gradient_sign

    return gradient_sign(batch, **settings)


def gaussian_noise(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.strength_search.gaussian_noise`."""
    from dptools.attacks.strength_search import gaussian_noise

    return gaussian_noise(batch, **settings)


def blended_noise(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.strength_search.blended_noise`."""
    from dptools.attacks.strength_search import blended_noise

    return blended_noise(batch, **settings)


def salt_and_pepper(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.strength_search.salt_and_pepper`."""
    from dptools.attacks.strength_search import salt_and_pepper

    return salt_and_pepper(batch, **settings)


def adef(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.foolbox_attacks.adef`."""
    from dptools.attacks.foolbox_attacks import adef

    return adef(batch, **settings)


def newtonfool(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.foolbox_attacks.newtonfool`."""
    from dptools.attacks.foolbox_attacks import newtonfool

    return newtonfool(batch, **settings)


def deepfool(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.foolbox_attacks.deepfool`."""
    from dptools.attacks.foolbox_attacks import deepfool

    return deepfool(batch, **settings)


def carlini_wagner(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.foolbox_attacks.carlini_wagner`."""
    from dptools.attacks.foolbox_attacks import carlini_wagner

    return carlini_wagner(batch, **settings)


def pgd(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.foolbox_attacks.pgd`."""
    from dptools.attacks.foolbox_attacks import pgd

    return pgd(batch, **settings)


def foolbox_class(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.foolbox_attacks.run_class`."""
    from dptools.attacks.foolbox_attacks import run_class

    return run_class(batch, **settings)
