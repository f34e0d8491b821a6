"""The command line of dp-denoise."""
