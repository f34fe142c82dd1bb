"""Scores of runs and summaries of methods, from a table of `experiments.analysis.load`."""

import math
import warnings
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.analysis.statistics import bootstrap_interval, improvement, interquartile_mean, mean
from experiments.errors import ResultsWarning, UserError, did_you_mean

SCORES = {"final": 1, "last5": 5}  # how many of the last evaluations are averaged
SCORE_IN_WORDS = {
    "final": "last evaluation of the centre",
    "last5": "mean of the centre's last five evaluations",
}
RECENT = 0.9  # share of the steps; a score from an evaluation before it is marked


def summary(
    frame: pd.DataFrame,
    *,
    at_steps: int | None = None,
    score: str = "final",
    threshold: float | None = None,
    against: str | None = None,
) -> pd.DataFrame:
    """Compares methods: a row for each environment and method, best IQM first.

    Only runs that reached `at_steps` count, with what they had reached by then; `note` says how many others there are.
    Different settings of a method are different methods (`label_methods`), and a seed counts once (`run_scores`).

    Args:
        frame: A table of `load`.
        at_steps: Environment steps at which all methods are compared; None for the smallest budget of each environment.
        score: "final" for the last evaluation of the centre. Where a run ends there, it is the one of 100 episodes
            (`eval.final_episodes`), else one of 10. "last5" for the mean of the last five evaluations, which depends
            less on where a swinging run happens to stand.
        threshold: Return of the centre for the columns `reached`, `steps_to_threshold` and `seconds_to_threshold`,
            which are there only if it is given.
        against: Method for the columns `improvement`, `improvement_low` and `improvement_high`, which are there only if
            it is given.

    Returns:
        A table with these columns, in the environment's own reward where nothing else is said:

        environment, method  string
        at_steps             int64    environment steps
        n                    int64    runs (seeds) that count
        mean, std, median    float64  over runs; std is that of a sample (n − 1), and NaN for one run
        iqm                  float64  interquartile mean; for fewer than four runs it is the mean
        iqm_low, iqm_high    float64  95 % bootstrap interval of the IQM, NaN for one run; see `bootstrap_interval`
        mean_low, mean_high  float64  95 % bootstrap interval of the mean, NaN for one run
        area                 float64  mean height of the curve of evaluations, from the first one on: the area under the
                                      curve divided by its steps, mean over runs; NaN where a run that counts has fewer
                                      than two evaluations
        reached              int64    runs with an evaluation of at least `threshold`
        steps_to_threshold   float64  environment steps until then, median over runs; NaN where half do not reach it
        seconds_to_threshold float64  seconds of wall time until then, median over runs; NaN where half do not reach it
        improvement          float64  P(this method > `against`) in this environment; NaN in the row of `against`
        improvement_low,     float64  95 % bootstrap interval of the improvement
        improvement_high
        note                 string   what a reader of this row must know, "" if nothing

    Raises:
        UserError: For an argument out of range, or a method that is not there.

    Warns:
        ResultsWarning: If budgets differ, or a seed was run twice.
    """
    scores = run_scores(frame, at_steps=at_steps, score=score, threshold=threshold)
    if against is not None:
        _check_method("against", against, scores)
    rows = []
    for (environment, method), runs in scores.groupby(["environment", "method"], sort=False):
        counted = runs.dropna(subset=["score"])
        values = counted.score.to_numpy()
        row = {"environment": environment, "method": method, "at_steps": runs.at_steps.iloc[0], "n": len(values)}
        row |= {"mean": _or_nan(np.mean, values), "std": counted.score.std(), "median": _or_nan(np.median, values)}
        row["iqm"] = _or_nan(interquartile_mean, values)
        row["iqm_low"], row["iqm_high"] = bootstrap_interval([values], interquartile_mean)
        row["mean_low"], row["mean_high"] = bootstrap_interval([values], mean)
        row["area"] = counted.area.mean(skipna=False)
        if threshold is not None:
            row["reached"] = int(np.isfinite(counted.steps_to_threshold).sum())
            for column in ("steps_to_threshold", "seconds_to_threshold"):
                middle = counted[column].median()
                row[column] = middle if math.isfinite(middle) else math.nan
        if against is not None:
            others = scores[scores.environment == environment]
            estimate = NOT_KNOWN if method == against else improvement_of(others, method, against)
            row |= dict(zip(("improvement", "improvement_low", "improvement_high"), estimate, strict=True))
        rows.append(row | {"note": _note(runs)})
    table = pd.DataFrame(rows).astype({"environment": "string", "method": "string", "note": "string"})
    return table.sort_values(["environment", "iqm"], ascending=[True, False], kind="stable", ignore_index=True)


def run_scores(
    frame: pd.DataFrame, *, at_steps: int | None = None, score: str = "final", threshold: float | None = None
) -> pd.DataFrame:
    """Returns a row for each run: what `summary` aggregates.

    A run's score after some number of steps is that of the last evaluation up to the generation that crossed this
    number, because the training of a run with that budget would have ended there. Where `early_stop` ended a run before
    it, the score is that of its last evaluation, because a run with that budget would have ended there too.

    Runs that differ in nothing but their budget are the same training. The longest finished one stands for all of them,
    or the longest where none is finished.

    Args:
        frame: A table of `load`.
        at_steps: Environment steps at which runs are compared, as for `summary`.
        score: Which evaluations count, as for `summary`.
        threshold: Return of the centre, as for `summary`.

    Returns:
        Columns environment, method (`label_methods`), run, seed and at_steps; `is_reached`, whether the run got there,
        or was ended before by `early_stop`, which `ended_early` says;
        score, `evaluated_at` (steps), area, and steps_to_threshold and seconds_to_threshold, which are infinite where
        the threshold was not reached. These numbers are NaN where the run did not get there or was not evaluated.

    Raises:
        UserError: For an argument out of range.

    Warns:
        ResultsWarning: If budgets differ, or a seed was run twice.
    """
    if score not in SCORES:
        raise UserError(f"score: expected one of {', '.join(SCORES)}; got {score!r}")
    if at_steps is not None and not at_steps >= 1:
        raise UserError(f"at_steps: expected a number of at least 1; got {at_steps!r}")
    frame = each_seed_once(frame.assign(method=label_methods(frame)))
    rows = []
    for environment, of_environment in frame.groupby("environment", sort=False):
        steps = _common_steps(environment, of_environment) if at_steps is None else int(at_steps)
        for (method, run, seed), metrics in of_environment.groupby(["method", "run", "seed"], sort=False):
            last = metrics.iloc[-1]
            ended_early = bool(last.finished and last.steps < steps <= last.budget)
            is_reached = bool(last.steps >= steps) or ended_early
            row = {"environment": environment, "method": method, "run": run, "seed": seed, "at_steps": steps}
            row |= {"is_reached": is_reached, "ended_early": ended_early}
            if is_reached:
                until = metrics.head(int((metrics.steps < steps).sum()) + 1)
                evaluated = until.dropna(subset=["center_return_mean"])
                row |= _score(evaluated, SCORES[score], threshold, steps if ended_early else None)
            rows.append(row)
    measured = ["score", "evaluated_at", "area", "steps_to_threshold", "seconds_to_threshold"]
    columns = ["environment", "method", "run", "seed", "at_steps", "is_reached", "ended_early", *measured]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(measured, "float64"))


class Estimate(NamedTuple):
    """A number with its 95 % bootstrap interval.

    Attributes:
        value: The number.
        low: Lower end of the interval, NaN where there are too few runs.
        high: Upper end of the interval, likewise.
    """

    value: float
    low: float
    high: float


NOT_KNOWN = Estimate(math.nan, math.nan, math.nan)


def probability_of_improvement(
    frame: pd.DataFrame, method: str, against: str, *, at_steps: int | None = None, score: str = "final"
) -> Estimate:
    """Returns P(method > against): how likely a run of one method beats a run of the other.

    It is averaged over the environments in which both were run.

    Args:
        frame: A table of `load`.
        method: Label of the first method, of `label_methods`.
        against: Label of the second method.
        at_steps: Environment steps at which runs are compared, as for `summary`.
        score: Which evaluations count, as for `summary`.

    Raises:
        UserError: If a method is not there, or there is no environment with runs of both that count.
    """
    scores = run_scores(frame, at_steps=at_steps, score=score)
    _check_method("method", method, scores)
    _check_method("against", against, scores)
    estimate = improvement_of(scores, method, against)
    if math.isnan(estimate.value):
        raise UserError(f"no environment has scores of both '{method}' and '{against}'")
    return estimate


def overall(
    frame: pd.DataFrame,
    reference: Mapping[str, tuple[float, float]],
    *,
    at_steps: int | None = None,
    score: str = "final",
) -> pd.DataFrame:
    """Compares methods over several environments: a row for each method, best IQM first.

    Scores of an environment are scaled to (score − low) / (high − low). The IQM is over the runs of all environments,
    and its interval resamples seeds within each of them.

    Args:
        frame: A table of `load`.
        reference: Environment -> (low, high), such as the returns of a random and of an expert policy.
        at_steps: Environment steps at which runs are compared, as for `summary`.
        score: Which evaluations count, as for `summary`.

    Returns:
        Columns method, n (runs), mean, iqm, iqm_low, iqm_high. A method that lacks an environment is left out.

    Raises:
        UserError: If the reference lacks an environment, or low is not below high.

    Warns:
        ResultsWarning: For a method that is left out.
    """
    scores = run_scores(frame, at_steps=at_steps, score=score).dropna(subset=["score"])
    environments = sorted(frame.environment.unique())
    for environment in environments:
        low, high = reference.get(environment, (0.0, 0.0))
        if not low < high:
            raise UserError(f"reference: expected low < high for {environment}; got {reference.get(environment)}")
    rows = []
    for method, runs in scores.groupby("method", sort=False):
        missing = sorted(set(environments) - set(runs.environment))
        if missing:
            warnings.warn(f"{method}: left out, no scores in {', '.join(missing)}", ResultsWarning, stacklevel=2)
            continue
        samples = []
        for environment, values in runs.groupby("environment").score:
            low, high = reference[environment]
            samples.append((values.to_numpy() - low) / (high - low))
        low, high = bootstrap_interval(samples, interquartile_mean)
        row = {"method": method, "n": len(runs), "mean": float(mean(*samples))}
        rows.append(row | {"iqm": float(interquartile_mean(*samples)), "iqm_low": low, "iqm_high": high})
    table = pd.DataFrame(rows, columns=["method", "n", "mean", "iqm", "iqm_low", "iqm_high"])
    return table.sort_values("iqm", ascending=False, ignore_index=True)


def label_methods(frame: pd.DataFrame) -> pd.Series:
    """Returns the label of each row's method: its name and its variant, such as "SG-RSNN (beta=2)".

    Runs with one label in one environment have the same settings. Where names and variants do not tell settings apart,
    as in tables from several files, the label ends in a part of the settings' hash.
    """
    label = frame.method.where(frame.variant == "", frame.method + " (" + frame.variant + ")")
    is_ambiguous = frame.settings.groupby([frame.environment, label]).transform("nunique") > 1
    return label.where(~is_ambiguous, label + " #" + frame.settings.str.slice(0, 4)).rename("method")


def choose_methods(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Returns the rows of some methods.

    Args:
        frame: A table of `load`.
        names: Labels of `label_methods`, or names without a variant, which choose all variants.

    Raises:
        UserError: If a method is not there.
    """
    label, is_chosen = label_methods(frame), pd.Series(False, frame.index)
    for name in names:
        is_named = (label == name) | (frame.method == name)
        if not is_named.any():
            raise UserError(no_such_method(name, list(label.unique())))
        is_chosen |= is_named
    return frame[is_chosen].reset_index(drop=True)


def no_such_method(name: str, methods: list[str]) -> str:
    """Returns the message for a method that is not there."""
    return f"no method '{name}'{did_you_mean(name, methods)}; there are {', '.join(methods)}"


def each_seed_once(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of all runs but those whose environment, method and seed another run has too.

    The longest finished run stays, or the longest where none is finished.

    Args:
        frame: A table of `load` whose column `method` has the labels of `label_methods`.

    Warns:
        ResultsWarning: For each run that is left out.
    """
    runs = frame.groupby("run", sort=False).agg(
        environment=("environment", "first"),
        method=("method", "first"),
        seed=("seed", "first"),
        finished=("finished", "first"),
        steps=("steps", "max"),
    )
    longest_first = runs.sort_values(["finished", "steps"], ascending=False, kind="stable")
    repeated = longest_first[longest_first.duplicated(["environment", "method", "seed"])]
    for run, row in repeated.iterrows():
        warnings.warn(
            f"{row.environment}, {row.method}: seed {row.seed} was run twice; '{run}' is left out",
            ResultsWarning,
            stacklevel=4,
        )
    return frame[~frame.run.isin(repeated.index)]


def _common_steps(environment: str, frame: pd.DataFrame) -> int:
    budgets = sorted(frame.budget.unique())
    if len(budgets) > 1:
        warnings.warn(
            f"{environment}: budgets are {', '.join(f'{budget:,}' for budget in budgets)} steps; "
            f"all are compared at {budgets[0]:,}",
            ResultsWarning,
            stacklevel=4,
        )
    return int(budgets[0])


def _score(evaluated: pd.DataFrame, num_last: int, threshold: float | None, held_until: int | None) -> dict[str, float]:
    """Returns the scores of a run, whose last return counts on until some steps if it ended early."""
    steps, returns = evaluated.steps.to_numpy(), evaluated.center_return_mean.to_numpy()
    row = {}
    if len(returns) >= num_last:
        row |= {"score": float(returns[-num_last:].mean()), "evaluated_at": steps[-1]}
    if len(returns) >= 2:
        held = [] if held_until is None else [-1]
        heights, places = np.append(returns, returns[held]), np.append(steps, [held_until for _ in held])
        row |= {"area": float(np.trapezoid(heights, places) / (places[-1] - places[0]))}
    if threshold is not None:
        above = returns >= threshold
        first = int(above.argmax()) if above.any() else None
        row["steps_to_threshold"] = math.inf if first is None else steps[first]
        row["seconds_to_threshold"] = math.inf if first is None else evaluated.elapsed_seconds.iloc[first]
    return row


def improvement_of(scores: pd.DataFrame, method: str, against: str) -> Estimate:
    """Returns P(method > against), averaged over environments; NaN where none has scores of both.

    Args:
        scores: A table of `run_scores`.
        method: Label of the first method.
        against: Label of the second method.
    """
    pairs = score_pairs(scores, method, against)
    if not pairs:
        return NOT_KNOWN
    return Estimate(float(improvement(*pairs)), *bootstrap_interval(pairs, improvement))


def score_pairs(scores: pd.DataFrame, method: str, against: str) -> list[np.ndarray]:
    """Returns the scores of two methods in every environment that has both: the samples of `improvement`.

    Args:
        scores: A table of `run_scores`.
        method: Label of the first method.
        against: Label of the second method.
    """
    pairs = []
    for _, runs in scores.dropna(subset=["score"]).groupby("environment"):
        pair = [runs.score[runs.method == name].to_numpy() for name in (method, against)]
        if all(len(sample) for sample in pair):
            pairs += pair
    return pairs


def _check_method(argument: str, method: str, scores: pd.DataFrame) -> None:
    methods = list(scores.method.unique())
    if method not in methods:
        raise UserError(f"{argument}: {no_such_method(method, methods)}")


def _note(runs: pd.DataFrame) -> str:
    at_steps, count = runs.at_steps.iloc[0], len(runs)
    stopped = int((~runs.is_reached).sum())
    unevaluated = int((runs.is_reached & runs.score.isna()).sum())
    notes = []
    if stopped:
        notes.append(f"{stopped} of {count} runs did not reach {at_steps:,} steps")
    if unevaluated:
        notes.append(f"{unevaluated} of {count} runs have too few evaluations")
    if runs.ended_early.any():
        first = runs.evaluated_at[runs.ended_early].min()
        notes.append(
            f"{runs.ended_early.sum()} of {count} runs ended by early_stop, the first after {first:,.0f} steps"
        )
    if (earliest := runs.evaluated_at[~runs.ended_early].min()) < RECENT * at_steps:
        notes.append(f"evaluated as early as {earliest:,.0f} steps")
    if runs.score.count() == 1:
        notes.append("one seed: no interval")
    return "; ".join(notes)


def _or_nan(function, values: np.ndarray) -> float:
    return float(function(values)) if len(values) else math.nan
