"""The shared database kept in step, complete and at hand."""
