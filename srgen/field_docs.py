"""What the fields of a config class mean: the text under each, which Python does not keep."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path


def field_docs(cls: type) -> dict[str, str]:
    """The docstring of each field on one line, from the class's source."""
    spec = find_spec(cls.__module__)
    assert spec is not None and spec.origin is not None
    module = ast.parse(Path(spec.origin).read_text("utf-8"))
    tree = next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__)
    found = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(below.value.value).split())
    return found
