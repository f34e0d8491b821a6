"""Purifiers: image -> image without its adversarial perturbation."""
