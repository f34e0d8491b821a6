"""Classifiers that compute elsewhere and are asked over HTTP."""
