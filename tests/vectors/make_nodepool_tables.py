"""Write the tables of the nodepool into its README: rules, fields, and what rows belong to.

Run from the root of the project: ``python -m tests.vectors.make_nodepool_tables``. The test
``tests/nodepool/test_document.py`` checks that the README is what this program writes.
"""

from __future__ import annotations

from pathlib import Path

from bitcloud_net.core.nodepool.bodies.fields import fields_of
from bitcloud_net.core.nodepool.bodies.kinds import Kind
from bitcloud_net.core.nodepool.row_bodies import KINDS
from bitcloud_net.core.nodepool.table_rules import DAY_PERIODS, Role, Table, TableRule
from bitcloud_net.core.units import MIB
from tests.core.row_samples import SAMPLES

README = Path(__file__).parents[2] / "bitcloud_net" / "nodepool" / "README.md"
BEGIN, END = "<!-- written by tests/vectors/make_nodepool_tables.py -->\n", "<!-- end -->\n"
RULES_HEAD = (
    "table | key after the owner | seen by | writers | sync | row, bytes",
    "slots | rows | MiB | days | belongs to",
)


def rules_table() -> str:
    lines = [f"| {' | '.join(RULES_HEAD)} |", "| " + "--- | " * 11]
    for table in sorted(KINDS):
        kind = KINDS[table]
        rule = kind.rule
        cells = [
            f"{table} {rule.name}",
            key_of(kind) or "-",
            rule.exposure.value + (", members" if rule.members else ""),
            roles_of(rule),
            rule.sync.value,
            f"{rule.max_row_bytes:,}",
            f"{rule.slots_per_period:,}",
            f"{rule.max_rows_per_owner:,}",
            f"{rule.max_table_bytes // MIB:,}",
            f"{rule.max_life_periods // DAY_PERIODS:,}",
            belongs_to(Table(table)) or "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).replace(" \n", "\n") + "\n"


def key_of(kind: Kind) -> str:
    signs = {part.name for part in kind.key if part.signs}
    return "; ".join(
        f"{part.name}, {part.length}" + (", signs" if part.name in signs else "")
        for part in kind.key
    )


def roles_of(rule: TableRule) -> str:
    names = [role.name.lower().replace("_", " ") for role in Role if role & rule.writers]
    return "all" if len(names) == len(Role) else ", ".join(names)


def belongs_to(table: Table) -> str:
    """What the sample row of the table belongs to."""
    kind, sample = KINDS[table], SAMPLES[table]
    row = sample.row()
    writers = [KINDS[place[0]].rule.name for place in kind.writers(row, sample.body)]
    parents = [KINDS[place[0]].rule.name for place in kind.parents(row, sample.body)]
    return "; ".join(([" or ".join(writers)] if writers else []) + parents)


def fields_table() -> str:
    lines = ["| table | fields |", "| --- | --- |"]
    for table in sorted(KINDS):
        kind = KINDS[table]
        fields = [f"`{name}` ({spec.about()})" for name, spec in fields_of(kind.body).items()]
        lines.append(f"| {table} {kind.rule.name} | {'; '.join(fields)} |")
    return "\n".join(lines) + "\n"


def written(text: str) -> str:
    """Return the README with the generated part as it should be."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{rules_table()}\n{fields_table()}\n{END}{after}"


def main() -> None:
    README.write_text(written(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
