"""The shared database as values: rows, tables and their rules, who may see and keep which."""
