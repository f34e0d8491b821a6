"""The tool dp-attack."""
