"""The kinds of rows, by subject: for each its body, its table's rule, and what it belongs to.

``network`` (nodes, faults, identities, beacons), ``people``, ``storage`` (folders, files,
placements), ``permissions``, ``market`` (grids, publishers, trust, gateways), ``contracts`` (with
bids and summaries of receipts), ``requests``, ``certificates``, ``heads``, ``apps``. ``fields``
says what a field may hold, ``kinds`` what a kind of row consists of. ``core.nodepool.row_bodies``
gathers the kinds, ``core.nodepool.table_rules`` their rules.
"""
