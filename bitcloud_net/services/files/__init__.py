"""The virtual disk: publishing, reading, repairing and serving files."""
