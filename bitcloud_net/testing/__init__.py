"""Shipped for tests: a whole grid in one process, builders, strategies, conformance checks."""
