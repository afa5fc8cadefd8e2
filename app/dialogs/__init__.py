"""Dialogs: small, modal to the window, answered by one button."""
