"""Move records and images through every tool: source, loop, reuse of outputs, sink. It is independent of the tools."""
