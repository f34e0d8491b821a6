"""Classifiers that run on this machine."""
