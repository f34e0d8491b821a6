"""Evaluate streams of records: rates with confidence intervals, comparisons, figures and reports.

The modules read records as plain dictionaries and do not depend on the tools that wrote them.
"""
