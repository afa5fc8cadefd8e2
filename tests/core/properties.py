"""Settings and strategies that the property tests of this directory share."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from bitcloud_net.core.files.code import CodeParams

quick = settings(max_examples=80, deadline=None, database=None)
"""No deadline: the machine may be busy. No database: a failure prints what reproduces it."""

hashes = st.binary(min_size=32, max_size=32)
codes = st.integers(1, 128).flatmap(lambda n: st.integers(1, n).map(lambda k: CodeParams(k, n)))
