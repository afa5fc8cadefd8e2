"""The network: the only user of py-libp2p, and the same network in memory."""
