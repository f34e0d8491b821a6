"""Engines: run a stage over samples in this process, in worker processes or threads, or on a Ray cluster.

An engine turns samples into finished samples. It does not know what the stage does with them.
"""
