"""Forms of rows: complete, and as the parser wants them."""

from __future__ import annotations

import json

import pytest

from bitcloud_net.core.errors import BadInput
from bitcloud_net.core.nodepool.bodies.fields import fields_of
from bitcloud_net.core.nodepool.form import RowForm
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.row_forms import row_forms
from bitcloud_net.core.nodepool.row_json import body_from_json

RULES = {kind.rule.name: kind for kind in KINDS.values()}


def test_every_built_in_table_has_a_form() -> None:
    assert {form.table for form in row_forms()} == set(RULES)
    user = next(form for form in row_forms() if form.table == "user")
    assert json.loads(user.blank) == {"nickname": ""}
    assert [(part.name, part.about) for part in user.fields] == [("nickname", "text, 64")]


@pytest.mark.parametrize("form", row_forms(), ids=lambda form: form.table)
def test_a_blank_row_has_the_fields_that_are_asked_for(form: RowForm) -> None:
    kind = RULES[form.table]
    assert list(json.loads(form.blank)) == list(fields_of(kind.body))
    assert [part.name for part in form.fields] == list(fields_of(kind.body))
    assert sum(int(part.about.split()[0]) for part in form.key) == kind.rule.key_suffix_bytes
    refusal = _refusal(form)  # an empty key or code is for the person to fill in
    assert refusal is None or refusal.code == "bad-body"
    assert refusal is None or "has the fields" not in refusal.message


def _refusal(form: RowForm) -> BadInput | None:
    try:
        body_from_json(RULES[form.table].rule, form.blank)
    except BadInput as error:
        return error
    return None
