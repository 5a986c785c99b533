"""What a benchmark says: a figure beside a budget or a peer of the same run, as a line for people or as JSON."""

import json
import sys
from dataclasses import asdict, dataclass


@dataclass
class Figure:
    """`ratio` is value / reference_value. `budget` bounds the ratio when `bounds_ratio`, else the value."""
    name: str
    value: float
    unit: str
    reference: str            # what it is compared with: a limit, a peer, a physical bound
    reference_value: float
    budget: float
    at_most: bool = True      # False: the figure must reach the budget
    bounds_ratio: bool = True

    @property
    def ratio(self):
        return self.value / self.reference_value if self.reference_value else float("inf")

    @property
    def ok(self):
        bounded = self.ratio if self.bounds_ratio else self.value
        return bounded <= self.budget if self.at_most else bounded >= self.budget

    def json(self):
        out = {k: v for k, v in asdict(self).items() if k not in ("at_most", "bounds_ratio")}
        return json.dumps({**out, "ratio": round(self.ratio, 4), "ok": self.ok})

    def line(self):
        sign = "≤" if self.at_most else "≥"
        bound = f"{self.budget:g}" + (" ×" if self.bounds_ratio else f" {self.unit}")
        return (f"{'ok  ' if self.ok else 'OVER'} {self.name:<34} {self.value:>12.4g} {self.unit:<14} "
                f"{self.ratio:>6.3f} × {self.reference_value:.6g} ({self.reference}); budget {sign} {bound}")


def at_most(name, value, unit, limit, reference="budget"):
    """A figure that may not exceed a fixed limit."""
    return Figure(name, value, unit, reference, limit, 1.0)


def emit(figure, as_json):
    print(figure.json() if as_json else figure.line(), flush=True)
    return figure.ok


def note(text):
    print(text, file=sys.stderr, flush=True)
