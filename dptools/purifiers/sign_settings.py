"""Settings of sign steps, without torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SignSteps:
    """How many sign steps are taken, and after which perturbations (:mod:`dptools.purifiers.sign_step`).

    A perturbation is dense if it changes most values by a similar amount. The numbers were chosen on photographs, clean
    and attacked with FGSM, the momentum method and PGD; see docs/weights.md.

    Attributes:
        steps: number of steps; 0 for none.
        levels: smallest and largest noise level of a dense perturbation on the [0, 1] scale. The noise level is a
            robust estimate of the standard deviation of what a denoiser removed (the removed part); it ignores impulse
            noise.
        spread: smallest noise level, divided by the standard deviation. Impulses have a smaller value.
        correlation: smallest correlation of neighbouring signs. Independent noise has a smaller value, and is best left
            to the denoiser.
        evidence: smallest evidence of a dense perturbation: share + by_level log(255 level) - by_growth growth. Texture
            gives less. The share is that of values whose magnitude is 0.5 to 1.5 times the noise level. It is 0.38 for
            a Laplace distribution, which resembles that of texture, 0.48 for a normal one, and larger for perturbations
            with a limit in Linf. The growth is the factor by which the first step changes the noise level. Texture
            grows, because a step amplifies it.
        by_level: see evidence.
        by_growth: see evidence.
    """

    steps: int = 3
    levels: tuple[float, float] = (4.5 / 255, 24 / 255)
    spread: float = 0.5
    correlation: float = 0.125
    evidence: float = -0.627
    by_level: float = 0.508
    by_growth: float = 1.695


SIGN_STEPS = SignSteps()
"""For the denoiser."""

NO_SIGN_STEPS = SignSteps(steps=0)
"""For methods without them."""
