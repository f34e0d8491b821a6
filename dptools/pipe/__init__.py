"""What flows through every tool, and the one loop that runs them. Knows no domain."""
