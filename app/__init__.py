"""The desktop: a Qt window over a Bitcloud node."""
