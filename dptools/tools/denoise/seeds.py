"""The random stream of dp-denoise."""

PURPOSE = "denoise:"
"""Separates the seeds of dp-denoise from those of dp-attack.

Without it, an image with the same id would get the same random numbers from both: the first pass of the denoiser would
add the noise that the attack ``agn`` has added.
"""
