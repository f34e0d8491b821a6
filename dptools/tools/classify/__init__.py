"""The tool dp-classify."""
