"""Whole files over many nodes: upload, download, rebuild."""
