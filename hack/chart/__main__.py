"""Writes the chart's values.schema.json and the table in its README from the comments in values.yaml."""

import json
import sys
from pathlib import Path

from hack.chart.readme import ReadmeError, with_table
from hack.chart.schema import schema
from hack.chart.values import ValuesError, read

CHART = Path(__file__).resolve().parents[2] / "charts" / "reranker-operator"


def main() -> int:
    """Write both; the exit status is 1 when a value isn't explained."""
    readme = CHART / "README.md"
    try:
        values = read(CHART / "values.yaml")
        table = with_table(readme.read_text(encoding="utf-8"), values)
    except (ValuesError, ReadmeError) as error:
        print(f"hack.chart: {error}", file=sys.stderr)
        return 1
    text = json.dumps(schema(CHART.name, values), indent=2, ensure_ascii=False)
    (CHART / "values.schema.json").write_text(text + "\n", encoding="utf-8")
    readme.write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
