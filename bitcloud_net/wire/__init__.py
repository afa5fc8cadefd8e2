"""Protocols as pure state machines: bytes in, events out, bytes out. README.md specifies them."""
