"""A local test grid: N storage nodes on this machine, each a real process with a real libp2p node.

``run_test_grid`` starts one (or joins the one that already runs for the same home) and yields a
controller; ``supervisor`` is the process that owns the nodes; ``node_process`` is one node.
Everything lies below ``<home>/testgrid``: ``testgrid.json`` names the nodes, ``00``, ``01`` … are
their homes.

Nodes of a test grid do not audit each other: people switch them off for play, and nobody shall be
banned for that (``settings.Settings.audits``).
"""

from bitcloud_net.testgrid.controller import TestGridController, run_test_grid
from bitcloud_net.testgrid.person import open_on_test_grid, open_person

__all__ = ["TestGridController", "open_on_test_grid", "open_person", "run_test_grid"]
