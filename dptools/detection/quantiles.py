"""The distribution of the disagreement score of clean images for the default classifier."""

QUANTILE_LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)
"""Fractions of clean images for which :data:`CLEAN_QUANTILES` holds a score."""

CLEAN_QUANTILES = {
    "disagreement": (
        *(0.0, 0.0754, 0.1116, 0.1432, 0.1712, 0.2038, 0.2503, 0.3084, 0.3775),
        *(0.4276, 0.477, 0.5029, 0.5349, 0.5701, 0.6234, 1.0),
    ),
    "squeezing": (
        *(0.0, 0.0183, 0.0355, 0.0565, 0.0864, 0.1386, 0.1978, 0.2858, 0.3607),
        *(0.3959, 0.4384, 0.456, 0.4769, 0.5152, 0.5514, 1.0),
    ),
    "both": (
        *(0.0, 0.0453, 0.068, 0.0861, 0.1149, 0.1607, 0.2203, 0.2904, 0.3656),
        *(0.408, 0.4352, 0.4564, 0.4863, 0.5072, 0.5386, 1.0),
    ),
}
"""Quantiles of the disagreement score of clean images, by detector, at :data:`QUANTILE_LEVELS`.

They were measured for efficientnet-lite0 on 450 photographs, each of a different ImageNet class. Photographs that the
network classifies wrongly are included (``make bench-suspicion``).
"""
