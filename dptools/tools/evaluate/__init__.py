"""The tool dp-eval: from files of records to tables, figures and reports."""
