"""Writes the tables of fields and reasons in docs/rerankerdeployment.md: `python -m reranker_operator.api.reference`.

The page's prose is written by hand; what stands between its markers comes from the CRD and the list of reasons, so that
neither a field nor a reason is ever missing there. A test compares.
"""

import re
from pathlib import Path
from typing import Any

from reranker_operator import reasons
from reranker_operator.api.generate import deployment_crd

PAGE = Path(__file__).resolve().parents[3] / "docs/rerankerdeployment.md"
Schema = dict[str, Any]

_BEGIN, _END = "<!-- generated: {name} -->\n", "<!-- end -->"
_BOUNDS = (("minimum", "≥ {}"), ("maximum", "≤ {}"), ("minLength", "≥ {} characters"), ("minItems", "≥ {} items"))


def with_tables(page: str) -> str:
    """The page with its tables as they should be.

    Raises:
        ValueError: it lacks a table's markers.
    """
    schema = deployment_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    tables = {
        "spec": _fields_table(schema["spec"]),
        "status": _fields_table(schema["status"]),
        "rules": _rules_table(schema["spec"]),
        "reasons": ", ".join(f"`{reason}`" for reason in all_reasons()) + "\n",
    }
    for name, table in tables.items():
        begin = _BEGIN.format(name=name)
        if begin not in page:
            raise ValueError(f"the page has no line {begin.strip()}")
        head, _, rest = page.partition(begin)
        page = head + begin + "\n" + table + "\n" + _END + rest.partition(_END)[2]
    return page


def all_reasons() -> list[str]:
    """Every reason that a condition may have, sorted."""
    return sorted(value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str))


def fields(schema: Schema, prefix: str = "") -> list[tuple[str, Schema]]:
    """All fields below a schema in order, with their paths; items of a list have `[]` in theirs."""
    found: list[tuple[str, Schema]] = []
    for name, child in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        found.append((path, child))
        found += fields(child, f"{path}.")
        found += fields(child.get("items", {}), f"{path}[].")
    return found


def _fields_table(schema: Schema) -> str:
    rows = [
        f"| `{path}` | {_type(field)} | {_default(field)} | {_escaped(field.get('description', ''))} |"
        for path, field in fields(schema)
    ]
    return "\n".join(["| field | type | default | |", "|---|---|---|---|", *rows, ""])


def _type(field: Schema) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "x-kubernetes-int-or-string" in field:
        return "quantity"
    if field.get("type") == "array":
        return f"list of {field['items'].get('type', 'objects')}s"
    bounds = [text.format(field[key]) for key, text in _BOUNDS if key in field]
    return ", ".join([str(field.get("type", "any")), *bounds])


def _default(field: Schema) -> str:
    default = field.get("default")
    if default in (None, "") or isinstance(default, dict):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _rules_table(schema: Schema) -> str:
    nodes = [("spec", schema), *((f"spec.{path}", field) for path, field in fields(schema))]
    rows = [
        f"| `{path}` | {_escaped(rule['message'])} |"
        for path, node in nodes
        for rule in node.get("x-kubernetes-validations", ())
    ]
    return "\n".join(["| of | what must hold |", "|---|---|", *rows, ""])


def _escaped(text: str) -> str:
    return re.sub(r"([|<>])", r"\\\1", text)


def main() -> None:
    """Write the page."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
