"""Random values of every field, as they travel."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from bitcloud_net.core.nodepool.bodies.fields import (
    Amount,
    Bits,
    Blob,
    Body,
    Bytes,
    Choice,
    Code,
    Field,
    Flag,
    Integer,
    Many,
    Record,
    Text,
    fields_of,
)

LETTERS = st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"])


def of_length(length: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=length, max_size=length)


def lists(spec: Many) -> st.SearchStrategy[Any]:
    items = st.lists(strategy(spec.of), max_size=spec.most, unique=spec.distinct)
    return items.map(sorted) if spec.distinct else items


def texts(spec: Text) -> st.SearchStrategy[str]:
    text = st.text(LETTERS, max_size=min(spec.most, 80))
    return text.map(lambda one: unicodedata.normalize("NFC", one)[: spec.most])


STRATEGIES: dict[type[Field], Callable[[Any], st.SearchStrategy[Any]]] = {
    Integer: lambda spec: st.integers(spec.least, spec.most),
    Choice: lambda spec: st.sampled_from([item.value for item in spec.of]),
    Bits: lambda spec: st.integers(0, sum(item.value for item in spec.of)),
    Flag: lambda _: st.booleans(),
    Amount: lambda spec: st.integers(0, 2**128 - 1).map(spec.plain),
    Code: lambda _: st.from_regex(r"\A[a-z][a-z0-9.:-]{0,20}\Z"),
    Bytes: lambda spec: st.sampled_from(spec.lengths).flatmap(of_length),
    Blob: lambda spec: st.binary(min_size=spec.least, max_size=min(spec.most, 300)),
    Record: lambda spec: st.fixed_dictionaries(strategies(spec.of)),
    Many: lists,
    Text: texts,
}


def strategy(spec: Field) -> st.SearchStrategy[Any]:
    """Values that a field may hold, as they travel."""
    return STRATEGIES[type(spec)](spec)


def strategies(body: type[Body]) -> dict[str, st.SearchStrategy[Any]]:
    return {name: strategy(spec) for name, spec in fields_of(body).items()}


def near(good: dict[str, Any], body: type[Body]) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies that are a good one in some fields, and at random in the others."""
    return st.fixed_dictionaries(
        {name: st.just(good[name]) | any_ for name, any_ in strategies(body).items()}
    )
