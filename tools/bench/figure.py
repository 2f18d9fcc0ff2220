"""One measured figure, as it stands in the table and in build/bench/NAME.json."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Figure:
    name: str
    value: float
    unit: str
    # Who else was measured in the same run, and value / peer's value.
    peer: str | None = None
    ratio: float | None = None

    def against(self, peer: str, value: float) -> "Figure":
        return Figure(self.name, self.value, self.unit, peer, round(self.value / value, 4) if value else None)


def write(path: Path, figures: list[Figure]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{key: value for key, value in asdict(figure).items() if value is not None} for figure in figures]
    path.write_text(json.dumps(rows, indent=2) + "\n")


def table(figures: list[Figure]) -> str:
    rows = []
    for figure in figures:
        value = f"{figure.value:,.0f}" if figure.value == int(figure.value) else f"{figure.value:,.2f}"
        beside = f"{figure.ratio:.3f} x {figure.peer}" if figure.peer else ""
        rows.append((figure.name, value, figure.unit, beside))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(f"{name:{widths[0]}}  {value:>{widths[1]}}  {unit:{widths[2]}}  {beside}".rstrip()
                     for name, value, unit, beside in rows)
