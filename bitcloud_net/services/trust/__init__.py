"""Identities, audits and bans: what makes strangers work together."""
