"""Tables for people and JSON for programs, from the same rows; ratios are printed beside what they compare."""

import json
from pathlib import Path

from bench.subjects import Figures


class Report:
    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[str, Figures]]] = {}

    def add(self, subject: str, name: str, figures: Figures) -> None:
        self._rows.setdefault(subject, []).append((name, figures))

    def figure(self, subject: str, name: str, column: str) -> float | None:
        for found, figures in self._rows.get(subject, ()):
            if found == name and isinstance(figures.get(column), int | float):
                return float(figures[column])
        return None

    def ratio(self, subject: str, column: str, name: str, to: str) -> None:
        """A line that compares two rows of a subject, where both were measured."""
        above, below = self.figure(subject, name, column), self.figure(subject, to, column)
        if above is not None and below:
            label = f"{column}: {name} to {to}"
            self.add(f"{subject} ratios", label, {"ratio": round(above / below, 2)})

    def show(self) -> None:
        for subject, rows in self._rows.items():
            columns = list(dict.fromkeys(column for _, figures in rows for column in figures))
            table = [["", *columns], *([n, *(_cell(f.get(c, "")) for c in columns)] for n, f in rows)]
            widths = [max(len(line[i]) for line in table) for i in range(len(columns) + 1)]
            print(f"\n{subject}")
            for line in table:
                cells = [line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))]
                print("  " + "  ".join(cells))

    def save(self, path: Path) -> None:
        found = {subject: dict(rows) for subject, rows in self._rows.items()}
        path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def _cell(value: float | str) -> str:
    return f"{value:,}" if isinstance(value, int | float) else value
