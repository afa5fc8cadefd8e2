"""Worlds for services, too."""

from __future__ import annotations

from tests.planet.conftest import clock, scratch, world

__all__ = ["clock", "scratch", "world"]
