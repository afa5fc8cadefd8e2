"""Pure decisions and bytes: no clock, no randomness, no files, no sockets."""
