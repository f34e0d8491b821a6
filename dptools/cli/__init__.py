"""Code that the command lines of all tools share."""
