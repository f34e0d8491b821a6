"""A pretrained denoising network, and what is built on it."""
