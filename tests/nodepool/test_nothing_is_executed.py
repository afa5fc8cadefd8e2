"""Nothing that comes from the network can become code: the words for it do not occur."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bitcloud_net

ROOT = Path(bitcloud_net.__file__).parent
FILES = [
    path
    for package in ("core", "wire", "nodepool", "protocols")
    for path in sorted((ROOT / package).rglob("*.py"))
]
CALLS = {"eval", "exec", "compile", "__import__", "load_extension", "enable_load_extension"}
MODULES = {"pickle", "marshal", "shelve", "runpy", "code", "codeop", "imp", "subprocess"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_way_to_run_data(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else None
            if isinstance(node.func, ast.Name):
                name = node.func.id
            if name == "compile" and isinstance(node.func, ast.Attribute):
                assert isinstance(node.func.value, ast.Name)
                assert node.func.value.id == "re"
                continue
            assert name not in CALLS, f"{path.name}:{node.lineno}"
        if isinstance(node, ast.Import):
            assert not {item.name.split(".")[0] for item in node.names} & MODULES
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in MODULES
