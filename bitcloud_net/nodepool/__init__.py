"""The nodepool: the shared database of signed rows, kept in SQLite."""
