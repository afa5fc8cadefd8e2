"""The nodepool of thousands of nodes in one process, in virtual time."""
