"""What each tool does to one Sample: the bridge from the pipe to a domain. torch is imported in ``load`` only."""
