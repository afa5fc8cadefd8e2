"""Screens of the window, one per file: they connect the session with widgets and hold no rules."""
