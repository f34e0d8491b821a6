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


def apgd_ce(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.auto_attack.apgd_ce`."""
    from dptools.attacks.auto_attack import apgd_ce

    return apgd_ce(batch, **settings)


def apgd_dlr(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.auto_attack.apgd_dlr`."""
    from dptools.attacks.auto_attack import apgd_dlr

    return apgd_dlr(batch, **settings)


def apgd_t(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.auto_attack.apgd_t`."""
    from dptools.attacks.auto_attack import apgd_t

    return apgd_t(batch, **settings)


def fab_t(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.auto_attack.fab_t`."""
    from dptools.attacks.auto_attack import fab_t

    return fab_t(batch, **settings)


def square(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.auto_attack.square`."""
    from dptools.attacks.auto_attack import square

    return square(batch, **settings)


def auto_attack(batch: "AttackBatch", **settings: Any) -> "RawResult":
    """Run :func:`dptools.attacks.auto_attack.auto_attack`."""
    from dptools.attacks.auto_attack import auto_attack

    return auto_attack(batch, **settings)
