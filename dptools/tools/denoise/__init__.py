"""The tool dp-denoise."""
