"""The parts of a run: each measures one thing of all peers that have it, and prints a table."""
