"""The kinds of rows, by subject: for each its body, its table's rule, and what it belongs to.

``network`` (nodes, faults, identities), ``people``, ``storage`` (folders, files, placements),
``market`` (grids and publishers), ``apps``, ``heads``. ``fields`` says what a field may hold,
``kinds`` what a kind of row consists of. ``core.row_bodies`` gathers the kinds,
``core.table_rules`` their rules.
"""
