"""dp-mapsext: extract the text of scanned maps."""
