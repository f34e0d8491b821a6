"""Read samples, run a tool on them, reuse existing outputs, and write the results. No tool is imported here."""
