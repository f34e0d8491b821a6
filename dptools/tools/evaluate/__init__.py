"""The command line of dp-eval."""
