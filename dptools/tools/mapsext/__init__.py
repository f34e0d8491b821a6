"""The command line of dp-mapsext."""
