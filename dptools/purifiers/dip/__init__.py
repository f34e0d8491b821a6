"""The deep image prior: a network with random weights, fitted to one image (arXiv 1711.10925)."""
