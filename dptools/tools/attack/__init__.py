"""The command line of dp-attack."""
