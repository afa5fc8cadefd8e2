"""Content on this machine's disk: shares, a person's own files, the vault."""
