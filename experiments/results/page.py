"""Makes the tables and figures of RESULTS.md from the results in this folder: `make results`.

A table stands on the page between the lines <!-- begin NAME --> and <!-- end NAME -->. Everything else on the page is
written by hand.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from matplotlib.figure import Figure

from experiments.analysis.claims import check_claims, claims_table
from experiments.analysis.load_results import load
from experiments.analysis.summary import choose_methods, summary
from experiments.analysis.summary_table import text_table
from experiments.analysis.text_table import TextTable, markdown, short_number
from experiments.errors import UserError
from experiments.figures.bars import bars
from experiments.figures.curves import curves
from experiments.figures.style import encode
from experiments.run_folder.atomic_write import write_atomic

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "RESULTS.md"
FOLDER = ROOT / "experiments" / "results"
FIGURES = FOLDER / "figures"
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
COMPARED_STEPS = 1_000_000
LONGER_STEPS = {"longer-2M": 2_000_000, "longer-5M": 5_000_000}
"""Table -> the environment steps at which it compares the longer runs that got there."""


class Results(NamedTuple):
    """The runs that the page is about, as tables of `load`.

    Attributes:
        comparison: All methods in two environments, with a million environment steps a run.
        longer: EC and its strongest rivals in one environment, with two or five million steps.
        surrogate: SG-RSNN with another surrogate derivative in one environment, with a million steps.
        tuned: PPO on the LSTM with the alive bonus and step sizes that fall, in both environments, a million steps.
        with_critic: EC with a critic, and EC in two stages, ten seeds each in both environments.
    """

    comparison: pd.DataFrame
    longer: pd.DataFrame
    surrogate: pd.DataFrame
    tuned: pd.DataFrame
    with_critic: pd.DataFrame


def main() -> None:
    """Writes the tables into RESULTS.md and the figures beside the results."""
    results = read_results()
    write_atomic(PAGE, fill(PAGE.read_text(), tables(results)).encode())
    FIGURES.mkdir(exist_ok=True)
    for name, draw in figures(results).items():
        write_atomic(FIGURES / f"{name}.png", encode(draw(), "png"))
    print(f"{PAGE}\n{FIGURES}")


def read_results() -> Results:
    """Reads the results in this folder."""
    return Results(
        comparison=load([FOLDER / "hopper-1M.csv", FOLDER / "walker2d-1M.csv"]),
        longer=load(FOLDER / "hopper-longer.csv"),
        surrogate=load(FOLDER / "hopper-1M-surrogate.csv"),
        tuned=load(FOLDER / "ppo-lstm-tuned.csv"),
        with_critic=load([FOLDER / "ec-critic.csv", FOLDER / "ec-staged-closing.csv"]),
    )


def tables(results: Results) -> dict[str, str]:
    """Returns the tables of the page as Markdown."""
    frame = results.comparison
    made = {
        "claims": claims_table(check_claims(frame, score=SCORE), SCORE),
        "scores": scores_table(frame),
        "final": text_table(summary(frame), "final", None, None),
        "time": time_table(frame),
        "surrogates": scores_table(surrogates(results)),
        "strongest": scores_table(strongest(results), COMPARED_STEPS),
    }
    made |= {name: scores_table(results.longer, at_steps) for name, at_steps in LONGER_STEPS.items()}
    return {name: markdown(table) for name, table in made.items()}


def scores_table(frame: pd.DataFrame, at_steps: int | None = None) -> TextTable:
    """Returns the `summary` of runs as texts, with the probability to beat EC.

    Args:
        frame: A table of `load`.
        at_steps: Environment steps at which methods are compared. Runs with a smaller budget are left out. None takes
            all runs, and the smallest budget.
    """
    if at_steps is not None:
        frame = frame[frame.budget >= at_steps]
    return text_table(summary(frame, at_steps=at_steps, score=SCORE, against=AGAINST), SCORE, None, AGAINST)


def surrogates(results: Results) -> pd.DataFrame:
    """Returns the runs of EC and of SG with each surrogate, in the environment that has several."""
    frame = results.comparison
    frame = frame[frame.environment.isin(results.surrogate.environment)]
    return pd.concat([choose_methods(frame, [AGAINST, "SG-RSNN"]), results.surrogate], ignore_index=True)


def strongest(results: Results) -> pd.DataFrame:
    """Returns the runs of PPO on the LSTM, with its settings of the comparison and tuned, and of all kinds of EC."""
    frame = choose_methods(results.comparison, [AGAINST, "PPO-LSTM"])
    return pd.concat([frame, results.tuned, results.with_critic], ignore_index=True)


def time_table(frame: pd.DataFrame) -> TextTable:
    """Returns how long methods train until an evaluation of the centre returns `THRESHOLD`.

    The time is the number of environment steps until then, divided by the speed of the method. Other programs can only
    slow a run down, so that the speed is that of the fastest seed: its median over generations, without evaluations.
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


def figures(results: Results) -> dict[str, Callable[[], Figure]]:
    """Returns the figures of the page: name -> a function that draws it."""
    frame = results.comparison
    drawn: dict[str, Callable[[], Figure]] = {"scores": lambda: bars(frame, score=SCORE)}
    drawn["longer"] = lambda: curves(results.longer)
    drawn["surrogates"] = lambda: curves(surrogates(results))
    for name, methods in CURVES.items():
        drawn[name] = lambda methods=methods: curves(choose_methods(frame, methods))
    return drawn


def fill(page: str, tables: Mapping[str, str]) -> str:
    """Returns the page with new tables between their marks.

    Args:
        page: The text of RESULTS.md.
        tables: Name of a table -> its Markdown.

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
