"""Results of runs as one tidy table, read from run folders and saved files.

Example:
    >>> from experiments.analysis import load, summary
    >>> print(summary(load("runs/**"), threshold=1000.0))
"""

import glob
import hashlib
import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from experiments.analysis.method_label import method_label
from experiments.analysis.summary import (
    choose_methods,
    label_methods,
    overall,
    probability_of_improvement,
    run_scores,
    summary,
)
from experiments.errors import ResultsWarning, UserError
from experiments.run_config.keys import (
    COMPONENTS,
    MODEL_DIGEST,
    STARTED_FROM,
    STARTS,
    keys_without_effect,
    keys_without_influence,
)
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import CONFIG
from experiments.run_folder.metrics import COLUMNS, COUNTS
from experiments.run_folder.read import (
    ALWAYS_THERE,
    METRIC_DTYPES,
    SavedRun,
    check_counters,
    is_run_folder,
    parse_cells,
    read_run,
    select,
)
from experiments.run_folder.status import FINISHED
from experiments.run_folder.versions import PACKAGES, WARP_PACKAGES

__all__ = [
    "choose_methods",
    "label_methods",
    "load",
    "overall",
    "probability_of_improvement",
    "run_scores",
    "save",
    "summary",
    "thin",
]

RUN_DTYPES = {
    "run": "string",
    "environment": "string",
    "environment_keywords": "string",
    "agent": "string",
    "searcher": "string",
    "method": "string",
    "variant": "string",
    "settings": "string",
    "seed": "int64",
    "budget": "int64",
    "popsize": "Int64",
    "finished": "bool",
    "state": "string",
}
WARP = f"versions.{WARP_PACKAGES[0]}"
VERSIONS = (*(f"versions.{name}" for name in ("ec-evotorch", "git_commit", "python", *PACKAGES)), WARP)
PHYSICS = ("versions.mujoco", "versions.gymnasium", WARP)  # runs that differ in one of these cannot be compared
NOT_THERE = {WARP: "none"}  # what it means that a run has no such version; of others that is not known
KNOWN_DTYPES = RUN_DTYPES | METRIC_DTYPES | dict.fromkeys(VERSIONS, "string")
STARTING = tuple(f"searcher.{key}" for key in STARTS)
MASK = "agent.connection_mask."  # whose kernels, where they are written as text, are too long for tables
METHOD_COMPONENTS = ("agent.", "searcher.", "incumbent")
THINNED_ROWS = 20  # of a run, besides those at its evaluations


def load(sources: str | Path | Iterable[str | Path], config: str | Iterable[str] = ()) -> pd.DataFrame:
    """Reads runs and files of results into one table with a row for each run and generation.

    It has these columns, in this order. Where a run has no such value, "string" columns are NA and float columns NaN.

        run                    string   folder, as it was found
        environment            string   Gymnasium's id
        environment_keywords   string   further keywords of `gymnasium.make`, as JSON
        agent, searcher        string   names of the two components
        method                 string   see `experiments.analysis.method_label`
        variant                string   settings that differ among the runs of this method, "" if none: of agent and
                                        searcher in any environment, of environment and problem within one
        settings               string   a hash of all settings that a result depends on, but for seed and budget
        seed                   int64
        budget                 int64    environment steps
        popsize                Int64    NA for searchers without a population
        finished               bool     whether the budget was reached, or early_stop ended the run before it
        state                  string   what status.json says: running (or killed), finished, interrupted, failed
        generation … episodes  int64    counted from the start of the run; `steps` are environment steps
        failed_episodes        Int64    likewise; NA where an earlier version did not count them
        mean_return … explained_variance  float64  returns in the environment's own reward
        elapsed_seconds        float64  wall time since the start, evaluations included
        steps_per_second       float64  of the searcher's step alone
        further diagnostics    float64  every other number that the searcher of some run reports, such as the stdev of
                                        PPO; with "_status" behind its name where that is the name of another column
        versions.…             string   software that the run was made with; versions.mujoco-warp is NA unless that
                                        simulated
        and the keys that `config` asks for: float64, boolean, or else string

    A run without a whole generation, which failed in the first or has just begun, has one row of generation 0, with
    nothing measured.

    Args:
        sources: Globs ("runs/**"), folders, which are searched for runs (hidden folders are not), or files that `save`
            wrote.
        config: Further keys of config.yaml to add as columns, by their dotted names, such as "agent.surrogate.beta".

    Raises:
        UserError: If a source is a damaged run or file or a foreign one, nothing is found, no run has a key of
            `config`, or one run is in two sources.

    Warns:
        ResultsWarning: For a damaged or foreign run that a search finds and leaves out, for a last row that is half
            written, and where versions or keywords of one environment are mixed.
    """
    sources = [sources] if isinstance(sources, str | Path) else list(sources)
    config = [config] if isinstance(config, str) else config
    config = [key for key in dict.fromkeys(config) if key not in KNOWN_DTYPES]
    runs, frames, skipped = [], [], []
    for path, is_named in _find(sources).items():
        try:
            if path.is_dir():
                runs.append(read_run(path))
            else:
                frames.append(_read_saved(path, config))
        except UserError as error:
            if is_named:
                raise
            skipped.append(error)
    for error in skipped:
        warnings.warn(f"left out: {error}", ResultsWarning, stacklevel=2)
    if not runs and not frames:
        reason = f": {skipped[0]}" if skipped else " (config.yaml and metrics.csv)"
        raise UserError(f"found no run in {', '.join(map(str, sources))}{reason}")
    frames += _frames_of_runs(runs, config)
    _check_no_run_twice(frames)
    frame = _typed(_in_order(pd.concat(frames, ignore_index=True)), config)
    _warn_of_mixtures(frame)
    return frame


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Puts the diagnostics of searchers, which not all runs have, behind the metrics that all runs have."""
    known = [*RUN_DTYPES, *COLUMNS]
    diagnostics = [column for column in frame if column not in KNOWN_DTYPES and "." not in column]
    return frame[[*known, *diagnostics, *(column for column in frame if column not in {*known, *diagnostics})]]


def save(frame: pd.DataFrame, path: str | Path) -> None:
    """Writes a table of `load` into one CSV file, which `load` reads: exactly the rows of `thin(frame)`.

    Eighty runs with eleven evaluations each take 1 to 2 MB. Columns of metrics in which nothing was measured are left
    out, and are NaN when the file is read.

    Args:
        frame: A table of `load`.
        path: The file to write, whose name ends in .csv.

    Raises:
        UserError: If the path does not end in .csv or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".csv":
        raise UserError(f"path: expected a name that ends in .csv; got '{path}'")
    rows = thin(frame)
    optional = [column for column in (*COLUMNS, WARP) if column not in ALWAYS_THERE]
    unmeasured = [column for column in optional if rows[column].isna().all()]
    write_atomic(path, rows.drop(columns=unmeasured).to_csv(index=False, lineterminator="\n").encode())


def thin(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns fewer rows of a table of `load`, from which `summary` computes the same numbers.

    Of each run it keeps the first row, the last, every row with an evaluation of the centre and the row before it
    (which tells when the evaluated generation began), and some twenty more, evenly over the budget.
    """
    is_evaluated = frame.center_return_mean.notna()
    run = frame.run
    interval = frame.budget / THINNED_ROWS
    is_first_in_interval = (frame.steps // interval) != (frame.steps // interval).groupby(run).shift()
    is_before_evaluated = is_evaluated.groupby(run).shift(-1, fill_value=True)  # and the last row of the run
    return frame[is_evaluated | is_before_evaluated | is_first_in_interval].reset_index(drop=True)


def _find(sources: list[str | Path]) -> dict[Path, bool]:
    """Returns the run folders and CSV files in sources, each once, and whether it was itself a source."""
    found: dict[Path, tuple[Path, bool]] = {}
    for source in sources:
        named = Path(source)
        matches = [named] if named.exists() else [Path(path) for path in sorted(glob.glob(str(source), recursive=True))]
        if not matches:
            raise UserError(f"'{source}': there is no such folder or file")
        parts = [part for match in matches for part in _parts(match, is_named=match == named)]
        for part in parts:
            found.setdefault(part.resolve(), (part, part == named))
    return dict(found.values())


def _parts(path: Path, is_named: bool) -> list[Path]:
    """Returns the runs in a folder, which may be a run itself, or a file that is named or may hold results."""
    if path.is_dir():
        return [path] if is_run_folder(path) else _search(path)
    return [path] if is_named or (path.suffix == ".csv" and not is_run_folder(path.parent)) else []


def _search(folder: Path) -> list[Path]:
    folders = sorted(path.parent for path in folder.rglob(CONFIG))
    visible = [path for path in folders if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    for path in visible:
        if not is_run_folder(path):
            warnings.warn(f"left out: '{path}' has no metrics.csv", ResultsWarning, stacklevel=5)
    return [path for path in visible if is_run_folder(path)]


def _frames_of_runs(runs: list[SavedRun], config: list[str]) -> list[pd.DataFrame]:
    settings = [_settings(run.config) for run in runs]
    labels = [(run.config["env"]["id"], method_label(run.config["agent"], run.config["searcher"])) for run in runs]
    frames = []
    for run, own, label in zip(runs, settings, labels, strict=True):
        same_method = [
            other if environment == label[0] else _of_environment(own) | _of_method(other)
            for other, (environment, method) in zip(settings, labels, strict=True)
            if method == label[1]
        ]
        metrics = run.metrics.rename(columns=_without_clash)
        if metrics.empty:
            metrics = pd.DataFrame([dict.fromkeys(COUNTS, 0)], columns=COLUMNS).astype(METRIC_DTYPES)
        columns = {
            "run": run.folder.as_posix(),
            "environment": label[0],
            "environment_keywords": json.dumps(_keywords(run.config), sort_keys=True, default=str),
            "agent": run.config["agent"]["name"],
            "searcher": run.config["searcher"]["name"],
            "method": label[1],
            "variant": _variant(own, same_method),
            "settings": _digest(own),
            "seed": run.config["seed"],
            "budget": run.config["budget"],
            "popsize": select(run.config, "searcher.popsize"),
            "finished": bool(metrics.steps.iloc[-1] >= run.config["budget"]) or run.state == FINISHED,
            "state": run.state,
        }
        joined = {key: _as_text(select(run.config, key)) for key in (*VERSIONS, *config)}
        before = pd.DataFrame(columns, index=metrics.index)
        after = pd.DataFrame(joined, index=metrics.index, dtype="string")
        frames.append(pd.concat([before, metrics, after], axis="columns").astype(KNOWN_DTYPES))
    for key in config:
        if frames and all(frame[key].isna().all() for frame in frames):
            raise UserError(f"config: no run has the key '{key}'")
    return frames


def _without_clash(column: str) -> str:
    """Returns the name of a column of metrics.csv in a table, where it must not be that of another kind of column."""
    if column in COLUMNS:
        return column
    return f"{column}_status" if column in KNOWN_DTYPES else column.replace(".", "_")


def _keywords(config: Mapping) -> dict[str, object]:
    """Returns the further keywords of the environment on which results depend; a recorded model, not its path."""
    left_out = {*keys_without_influence(config), "env.id", "env._target_", "env._partial_"}
    keywords = {
        str(key): value
        for key, value in config["env"].items()
        if f"env.{key}" not in left_out and value not in (None, [])  # as if it were not there
    }
    if digest := config["env"].get(MODEL_DIGEST):
        keywords.pop("xml_file", None)
        keywords[MODEL_DIGEST] = digest
    return keywords


def _settings(config: Mapping) -> dict[str, str]:
    """Returns the settings of a run, dotted key -> value as text, but for those that change no result.

    They are those of all components and of the incumbent. A recorded model counts, and not the path of its file. What
    was added later is left out where it does nothing (`keys_without_effect`), as runs of earlier versions have none.
    What a search began from is told by what that run was, and not by its path. A number of steps is the same however
    it is written, 1e6 or 1000000.
    """
    settings, left_out = {}, keys_without_influence(config) | keys_without_effect(config)
    started_from = config.get(STARTED_FROM)

    def _start(name: object) -> object:
        known = started_from.get(name) if isinstance(started_from, Mapping) and isinstance(name, str) else None
        return known.get("run", name) if isinstance(known, Mapping) else name

    def visit(node: object, key: str) -> None:
        if key in left_out:
            return
        if isinstance(node, Mapping):
            for name, child in node.items():
                visit(child, f"{key}.{name}")
        else:
            if key.endswith("_steps") and isinstance(node, float) and node.is_integer():
                node = int(node)
            text = _as_text(_start(node) if key.startswith(STARTING) else node) or "null"
            settings[key] = f"mask {_sha256(text)}" if key.startswith(MASK) and text.startswith("bits_") else text

    for part in (*COMPONENTS, "incumbent"):
        visit(config.get(part), part)
    if digest := select(config, f"env.{MODEL_DIGEST}"):
        settings.pop("env.xml_file", None)
        settings[f"env.{MODEL_DIGEST}"] = _as_text(digest)
    return settings


def settings_digest(config: Mapping) -> str:
    """Returns the hash of all settings of a run that a result depends on, the column `settings` of `load`.

    Args:
        config: Content of its config.yaml.
    """
    return _digest(_settings(config))


def _digest(settings: dict[str, str]) -> str:
    return _sha256(json.dumps(settings, sort_keys=True))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _of_method(settings: dict[str, str]) -> dict[str, str]:
    """Returns the settings of agent and searcher, which do not depend on the environment."""
    return {key: value for key, value in settings.items() if key.startswith(METHOD_COMPONENTS)}


def _of_environment(settings: dict[str, str]) -> dict[str, str]:
    """Returns the settings of environment and problem, some of which depend on the environment, such as its bonus."""
    return {key: value for key, value in settings.items() if not key.startswith(METHOD_COMPONENTS)}


def _variant(own: dict[str, str], all_settings: list[dict[str, str]]) -> str:
    """Returns what distinguishes settings from others, such as "beta=2, popsize=16"; keys are as short as possible."""
    keys = sorted(set().union(*all_settings))
    differing = [key for key in keys if len({settings.get(key) for settings in all_settings}) > 1]
    return ", ".join(f"{_short_key(key, keys)}={_short_value(own[key])}" for key in differing if key in own)


def _short_key(key: str, keys: list[str]) -> str:
    """Returns the end of a dotted key, of as few parts as no other key ends with."""
    parts = key.split(".")
    ends = (".".join(parts[first:]) for first in range(len(parts) - 1, 0, -1))
    return next((end for end in ends if sum(f".{other}".endswith(f".{end}") for other in keys) == 1), key)


def _short_value(text: str) -> str:
    """Returns the text of a setting, and of a number no more digits than it needs."""
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _read_saved(path: Path, config: list[str]) -> pd.DataFrame:
    """Reads a file that `save` wrote.

    Raises:
        UserError: If it is another file, is cut off, has no rows, has rows out of order, or lacks a key of `config`.
    """
    expected = f"'{path}': expected a file of results that experiments.analysis.save wrote"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{expected}: {error}") from error
    columns = text.partition("\n")[0].split(",")
    diagnostics = [column for column in columns if column not in KNOWN_DTYPES and "." not in column]
    missing = [column for column in (*RUN_DTYPES, *ALWAYS_THERE) if column not in columns]
    if missing:
        hint = "; of a run, give the folder" if path.name == "metrics.csv" else ""
        wrong = f"has {diagnostics[0]!r} and lacks" if diagnostics else "lacks"
        raise UserError(f"{expected}; it {wrong} {missing[0]!r}{hint}")
    if not text.endswith("\n"):
        raise UserError(f"{expected}; the last line is cut off")
    for key in config:
        if key not in columns:
            raise UserError(f"'{path}' lacks the key '{key}': save it from a table with load(…, config=['{key}'])")
    dtypes = dict.fromkeys(columns, "string") | KNOWN_DTYPES | dict.fromkeys(diagnostics, "float64")
    frame = parse_cells(path, text, dtypes).fillna({"variant": ""})
    if frame.empty:
        raise UserError(f"'{path}' has no runs")
    for run, rows in frame.groupby("run"):
        check_counters(f"'{path}', run '{run}'", rows)
    joined = [column for column in columns if column not in {*KNOWN_DTYPES, *diagnostics}]
    return frame.reindex(columns=[*RUN_DTYPES, *COLUMNS, *diagnostics, *VERSIONS, *joined]).astype(KNOWN_DTYPES)


def _check_no_run_twice(frames: list[pd.DataFrame]) -> None:
    names = pd.concat([frame.run.drop_duplicates() for frame in frames])
    if names.duplicated().any():
        raise UserError(f"run '{names[names.duplicated()].iloc[0]}' is in two of the sources")


def _typed(frame: pd.DataFrame, config: list[str]) -> pd.DataFrame:
    """Gives the columns of `config`, which are text so far, the narrowest dtype of boolean, float64 and string."""
    for column in [column for column in frame if column not in KNOWN_DTYPES]:
        text = frame[column].dropna()
        if len(text) and text.isin(["True", "False"]).all():
            frame[column] = (frame[column] == "True").astype("boolean")
            continue
        try:
            frame[column] = pd.to_numeric(frame[column]).astype("float64")
        except (ValueError, TypeError):
            frame[column] = frame[column].astype("string")
    return frame


def _warn_of_mixtures(frame: pd.DataFrame) -> None:
    for environment, rows in frame.groupby("environment"):
        for column in (*PHYSICS, "environment_keywords"):
            values = sorted(rows[column].fillna(NOT_THERE.get(column, "unknown")).unique())
            if len(values) > 1:
                what = column.removeprefix("versions.").replace("environment_keywords", "keywords")
                warnings.warn(
                    f"{environment}: runs with different {what} are mixed, whose numbers cannot be compared:"
                    f" {', '.join(values)}",
                    ResultsWarning,
                    stacklevel=3,
                )
    environments = frame.environment.drop_duplicates()
    for name, versions in environments.groupby(environments.str.rpartition("-v")[0]):
        if name and len(versions) > 1:
            warnings.warn(
                f"versions of {name} are mixed, whose numbers cannot be compared: {', '.join(sorted(versions))}",
                ResultsWarning,
                stacklevel=3,
            )


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str) if isinstance(value, list | dict) else repr(value)
