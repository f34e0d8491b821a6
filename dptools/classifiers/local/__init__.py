"""Classifiers that compute on this machine."""
