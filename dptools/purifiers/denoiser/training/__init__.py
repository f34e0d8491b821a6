"""Training of the denoiser, on photographs and on synthetic images."""
