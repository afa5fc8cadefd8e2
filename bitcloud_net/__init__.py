"""Bitcloud's headless library: the network, the storage and the shared database, without Qt."""

__version__ = "0.1.0"
