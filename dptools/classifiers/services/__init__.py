"""Classifiers that a service computes, reached over HTTP."""
