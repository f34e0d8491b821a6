"""The command line of dp-classify."""
