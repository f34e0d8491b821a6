"""The tool dp-eval: summarise files of records as tables, figures and reports."""
