"""Zero-shot purification: a small network with random weights learns from the image alone to remove noise."""
