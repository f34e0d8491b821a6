"""Classifiers that run on a service, with access over HTTP."""
