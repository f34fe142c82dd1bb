"""Tables and figures of RESULTS.md, from the results in experiments/results: `make results`.

A table stands in the page between the lines <!-- begin NAME --> and <!-- end NAME -->; what is outside is written by
hand.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from experiments.atomic import write_atomic
from experiments.claims import check_claims, claims_table
from experiments.errors import UserError
from experiments.figure_bars import bars
from experiments.figure_curves import curves
from experiments.figure_style import encode
from experiments.results import choose_methods, load, summary
from experiments.short_number import short_number
from experiments.table import TextTable, markdown, text_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "RESULTS.md"
FOLDER = ROOT / "experiments" / "results"
FIGURES = FOLDER / "figures"
COMPARISON = ("hopper-1M.csv", "walker2d-1M.csv")
SCORE = "last5"
THRESHOLD = 1000.0
AGAINST = "EC-RSNN"
CURVES = {
    "spiking": ("EC-RSNN", "ES-RSNN", "PGPE-RSNN", "SNES-RSNN", "SG-RSNN"),
    "gated": ("EC-RSNN", "ES-GRU", "ES-LSTM", "PPO-GRU", "PPO-LSTM"),
    "one-bit": ("EC-RSNN", "1-bit ES-RSNN", "1-bit SG-RSNN"),
    "vanilla": ("EC-RNN", "ES-RNN"),
}
"""Figure -> the methods whose learning curves it shows."""


def main() -> None:
    """Writes the tables into RESULTS.md and the figures beside the results."""
    frame = comparison()
    write_atomic(PAGE, fill(PAGE.read_text(), tables(frame)).encode())
    FIGURES.mkdir(exist_ok=True)
    for name, draw in figures(frame).items():
        write_atomic(FIGURES / f"{name}.png", encode(draw(), "png"))
    print(f"{PAGE}\n{FIGURES}")


def comparison() -> pd.DataFrame:
    """Returns the results that the page is about."""
    return load([FOLDER / name for name in COMPARISON])


def tables(frame: pd.DataFrame) -> dict[str, str]:
    """Returns the tables of the page as Markdown."""
    scores = summary(frame, score=SCORE, against=AGAINST)
    return {
        "claims": markdown(claims_table(check_claims(frame, score=SCORE), SCORE)),
        "scores": markdown(text_table(scores, SCORE, None, AGAINST)),
        "final": markdown(text_table(summary(frame), "final", None, None)),
        "time": markdown(time_table(frame)),
    }


def time_table(frame: pd.DataFrame) -> TextTable:
    """Returns how long methods train until the centre returns `THRESHOLD`: their steps over their speed.

    Other programs can only slow a run down, so the speed of a method is that of its fastest seed: the median over its
    generations, without evaluations.
    """
    reached = summary(frame, threshold=THRESHOLD).set_index(["environment", "method"])
    speeds = frame.groupby(["environment", "method", "run"]).steps_per_second.median()
    reached["speed"] = speeds.groupby(["environment", "method"]).max()
    reached["seconds"] = reached.steps_to_threshold / reached.speed
    rows = [
        [
            environment,
            method,
            f"{row.reached}/{row.n}",
            short_number(row.steps_to_threshold),
            short_number(row.speed),
            short_number(row.seconds),
        ]
        for (environment, method), row in reached.sort_values(["environment", "seconds"], kind="stable").iterrows()
    ]
    name = short_number(THRESHOLD)
    notes = [f"steps: median over seeds of the environment steps until an evaluation of the centre is at least {name}"]
    notes += ["steps/s: of the fastest seed, one thread, evaluations left out; seconds: steps over steps/s"]
    return TextTable(["environment", "method", f"reached {name}", "steps", "steps/s", "seconds"], rows, 2, notes)


def figures(frame: pd.DataFrame) -> dict[str, Callable[[], Figure]]:
    """Returns functions that draw the figures of the page."""
    drawn: dict[str, Callable[[], Figure]] = {"scores": lambda: bars(frame, score=SCORE)}
    for name, methods in CURVES.items():
        drawn[name] = lambda methods=methods: curves(choose_methods(frame, methods))
    return drawn


def fill(page: str, tables: Mapping[str, str]) -> str:
    """Returns the page with what stands between the marks of each table replaced by it.

    Raises:
        UserError: If the page does not have the marks of a table exactly once.
    """
    for name, table in tables.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
        if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
            raise UserError(f"RESULTS.md: expected '{begin.strip()}' and then '{end.strip()}', each once")
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    main()
