"""The classifiers that dptools brings along, by name."""

BUNDLED = {"efficientnet-lite0": 224, "efficientnet-lite1": 240, "efficientnet-lite2": 260}
"""Input sizes in pixels a side, as published. The first comes with dptools, the others with its extra ``models``."""

DEFAULT = "efficientnet-lite0"
