"""Widgets that paint themselves from the theme's tokens."""
