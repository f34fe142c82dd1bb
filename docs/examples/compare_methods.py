"""Compares methods from saved results with pandas: the tables of RESULTS.md are made like this."""

from pathlib import Path

import pandas as pd

from experiments.analysis import load, probability_of_improvement, summary

RESULTS = Path(__file__).resolve().parents[2] / "experiments" / "results"


def main() -> tuple[pd.DataFrame, float]:
    """Returns the table of scores, and the probability that a run of EC beats one of ES on the same network."""
    frame = load(RESULTS / "hopper-1M.csv")  # or "runs/**": a row for each run and generation
    table = summary(frame, score="last5", threshold=1000.0)
    return table, probability_of_improvement(frame, "EC-RSNN", "ES-RSNN", score="last5").value


if __name__ == "__main__":
    table, probability = main()
    print(table[["method", "n", "mean", "std", "reached", "steps_to_threshold"]].to_string(index=False))
    print("P(EC-RSNN > ES-RSNN):", probability)
