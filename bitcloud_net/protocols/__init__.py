"""Protocols over the network: what one node says to another, and the HTTP gateway's own."""
