"""Rules of the desktop that a reader of the code should not have to check."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[2] / "app"
FILES = sorted(APP.rglob("*.py"))

RICH_TEXT = {
    "QLabel": "widgets/label.py",  # AutoText would render markup: use Label
    "QMessageBox": "",  # the same: use Dialog
    "QErrorMessage": "",
    "QTextBrowser": "",
    "QTextEdit": "",
    "QPushButton": "",  # our Button has a name for screen readers
    "QToolButton": "",
}


def _names(tree: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return names | imported


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(APP)))
def test_widgets_that_render_markup_are_not_used(path: Path) -> None:
    names = _names(ast.parse(path.read_text(encoding="utf-8")))
    here = path.relative_to(APP).as_posix()
    used = {name for name, allowed in RICH_TEXT.items() if name in names and here != allowed}
    assert not used


def _calls(tree: ast.AST, method: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(APP)))
def test_tooltips_are_our_words_or_escaped(path: Path) -> None:
    """A tooltip is a name of ours (``name``, a parameter of our own buttons) or
    ``as_tooltip(...)``."""
    for call in _calls(ast.parse(path.read_text(encoding="utf-8")), "setToolTip"):
        text = ast.unparse(call.args[0])
        assert text == "name" or text.startswith(("as_tooltip(", "self.tr(")), text


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(APP)))
def test_only_the_bridge_knows_trio(path: Path) -> None:
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (
            node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")]
        )
    }
    if path.name != "bridge.py":
        assert "trio" not in names
    assert not names & {"libp2p", "sqlite3", "socket", "requests"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(APP)))
def test_the_desktop_uses_the_api_only(path: Path) -> None:
    modules = {
        node.module
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bitcloud_net")
    }
    opening = {"bitcloud_net", "bitcloud_net.testgrid"} if path.name == "__main__.py" else set()
    assert modules <= {"bitcloud_net.api"} | opening


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(APP)))
def test_addresses_are_opened_in_one_place(path: Path) -> None:
    if path.name in ("window.py", "player.py", "file_actions.py"):
        return
    assert "openUrl" not in path.read_text(encoding="utf-8")
