"""The contents of a report: what was run, what came out of it, and what the networks look like."""

import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments import __version__
from experiments.analysis.load_results import NOT_THERE, VERSIONS, load
from experiments.analysis.summary import choose_methods, label_methods, summary
from experiments.analysis.summary_table import text_table
from experiments.analysis.text_table import MISSING, TextTable, short_number
from experiments.errors import ResultsWarning, UserError
from experiments.evaluation.episodes import episode_seed
from experiments.evaluation.spikes import SpikeTrain, record_spikes
from experiments.evaluation.trained_network import TrainedNetwork, load_network
from experiments.figures.bars import bars
from experiments.figures.curves import curves
from experiments.figures.network import blocks_over_training, degrees, matrices, raster, rho_now, rho_over_training
from experiments.report.page import Command, Contents, NetworkSection, Picture, RunSection, render
from experiments.report.videos import read_videos
from experiments.run_folder.layout import CONFIG, POLICY_DESCRIPTION, STATUS
from experiments.run_folder.read import is_run_folder, read_config
from experiments.run_folder.run_command import run_command
from experiments.run_folder.status import read_status
from experiments.run_folder.versions import git_commit

DRAWN_AGENT, DRAWN_SEARCHER = "rsnn", "ec"  # whose networks are drawn unless one is named
LETTERS_OF_COMMIT = 10
NO_COMMAND = "(today no command composes to this configuration; its config.yaml stands below)"


def report(
    sources: list[str | Path],
    network: Path | None = None,
    at_steps: int | None = None,
    score: str = "final",
    methods: list[str] | None = None,
    trust: Collection[str] = (),
) -> str:
    """Returns the HTML page about runs. Warnings about them stand on the page.

    Args:
        sources: Folders, globs or saved files, as for `load`.
        network: Run whose network is drawn; None for the best run of each method with boolean connections between
            spiking neurons, in each environment.
        at_steps: Environment steps at which methods are compared, as for `summary`.
        score: Which evaluations of the centre count, as for `summary`.
        methods: The methods to compare, as for `choose_methods`; None for all.
        trust: Packages besides our own whose code the networks that are drawn may use, see `check_targets`.

    Raises:
        UserError: If the runs cannot be read, a method is not there, or `network` has no such network.
    """
    with _collected_warnings() as said:
        frame = load(sources)
        if methods is not None:
            frame = choose_methods(frame, methods)
        last = frame.groupby("run", sort=False).tail(1).assign(label=label_methods(frame)).set_index("run", drop=False)
        steps, time = "Evaluations of the centre over environment steps.", "Evaluations of the centre over wall time."
        figures = [
            *_picture(said, "Learning curves", steps, lambda: curves(frame)),
            *_picture(said, "Learning curves over time", time, lambda: curves(frame, x="seconds")),
            *_picture(said, "Scores", "The scores of the table above.", lambda: bars(frame, "mean", at_steps, score)),
        ]
        scores = text_table(summary(frame, at_steps=at_steps, score=score), score, None, None)
        configs = {run: _config_of(Path(run)) for run in last.index}
        commands = {run: run_command(config) for run, config in configs.items() if config is not None}
        videos = list(read_videos(said, last.index))
        networks = list(_networks(said, frame, last, network, trust))
        for row in last[~last.finished].itertuples():
            said.append(f"'{row.run}' has {row.steps:,} of {row.budget:,} environment steps: {_state(row)}")
    environments = ", ".join(sorted(frame.environment.unique()))
    return render(
        Contents(
            title=f"{environments}: {_runs(len(last))}",
            made=_made(),
            warnings=list(dict.fromkeys(said)),
            methods=_methods(last),
            commands=_once_for_all_seeds(last, commands),
            software=_software(last),
            scores=scores._replace(title="scores"),
            figures=figures,
            videos=videos,
            networks=networks,
            runs=[_run_section(row, frame, commands.get(row.run)) for row in last.itertuples()],
        )
    )


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Yields the list in which the texts of the `ResultsWarning`s of a block are gathered, and others can be added."""
    said: list[str] = []
    show = warnings.showwarning

    def gather(message, category, *place) -> None:
        if issubclass(category, ResultsWarning):
            said.append(str(message))
        else:
            show(message, category, *place)

    with warnings.catch_warnings():
        warnings.simplefilter("always", ResultsWarning)
        warnings.showwarning = gather
        yield said


def _picture(said: list[str], name: str, caption: str, draw: Callable[[], Figure]) -> Iterator[Picture]:
    """Yields a picture, or adds the reason why there is none to the warnings."""
    try:
        yield Picture(name, caption, draw())
    except UserError as error:
        said.append(f"{name}: {error}")


def _networks(
    said: list[str], frame: pd.DataFrame, last: pd.DataFrame, named: Path | None, trust: Collection[str]
) -> Iterator[NetworkSection]:
    if named is not None:
        yield _network_section(str(named), named, trust)
        return
    returns = frame.dropna(subset=["center_return_mean"]).groupby("run").center_return_mean.last()
    candidates = last[(last.agent == DRAWN_AGENT) & (last.searcher == DRAWN_SEARCHER)].join(returns.rename("reached"))
    candidates = candidates.loc[[run for run in candidates.index if (Path(run) / POLICY_DESCRIPTION).exists()]]
    for (environment, label), rows in candidates.dropna(subset=["reached"]).groupby(["environment", "label"]):
        best = rows.reached.idxmax()
        try:
            yield _network_section(f"{environment}, {label}: the best of {len(rows)}, '{best}'", Path(best), trust)
        except UserError as error:
            said.append(f"no picture of the network of '{best}': {error}")


def _network_section(name: str, run: Path, trust: Collection[str]) -> NetworkSection:
    network = load_network(run, trust)
    agent = network.agent
    (train,) = record_spikes(network.saved, [episode_seed(0, 0)])
    kernels = network.connections if network.probabilities is None else network.probabilities
    note = (
        f"{agent.num_neurons} neurons, {agent.num_excitatory} of them excitatory; {_share_of_recurrent(network)}. "
        f"The episode is the first of ec-evotorch evaluate: {train.steps:,} steps, return "
        f"{short_number(train.episode_return)}, {np.abs(train.spikes).mean():.1%} of the neurons fire in a time "
        f"step of {train.dt:g} ms."
    )
    return NetworkSection(name, note, list(_network_pictures(network, kernels, train)))


def _share_of_recurrent(network: TrainedNetwork) -> str:
    """Says which share of the recurrent connections exists: of those that can exist."""
    kernel_h, mask = network.connections["kernel_h"], network.agent.connection_mask
    if mask is None:
        return f"{kernel_h.mean():.1%} of the recurrent connections exist"
    possible = kernel_h[mask["kernel_h"]]
    if not possible.size:
        return "no recurrent connection can exist"
    return f"{possible.mean():.1%} of the recurrent connections that can exist do, which are {possible.size:,}"


def _network_pictures(network: TrainedNetwork, kernels: dict[str, np.ndarray], train: SpikeTrain) -> Iterator[Picture]:
    agent = network.agent
    if network.probabilities is not None:
        caption = "Probability ρ of each connection in the last checkpoint; white where it is near one half."
        caption += "" if agent.connection_mask is None else " It is 0 where a connection cannot exist."
        yield Picture("ρ", caption, matrices(kernels, agent.num_excitatory, "ρ"))
    else:
        caption = "Connections of the policy; black where one exists. Their probabilities ρ are not known: "
        caption += f"{network.why_no_probabilities}."
        yield Picture("θ*", caption, matrices(kernels, agent.num_excitatory, "θ*"))
    if network.rho_histogram is not None and len(network.rho_histogram):
        caption = "How the probabilities ρ of all connections were distributed, at each evaluation of the centre."
        yield Picture("ρ over training", caption, rho_over_training(network.rho_histogram))
    if network.rho_blocks is not None and len(network.rho_blocks):
        caption = "How undecided each block of connections was at each evaluation of the centre, and its mean ρ."
        yield Picture("Blocks over training", caption, blocks_over_training(network.rho_blocks))
    if network.probabilities is not None:
        mask = agent.connection_mask or {name: ... for name in kernels}
        searched = {name: kernel[mask[name]] for name, kernel in kernels.items()}
        yield Picture("ρ at the end", "How ρ is distributed in the last checkpoint.", rho_now(searched))
    caption = "Spikes of every neuron in the middle of the episode: each is a dot."
    yield Picture("Spikes", caption, raster(train.spikes, agent.num_excitatory, train.substeps, train.dt))
    caption = "How many recurrent connections neurons have. Chance: a network with as many, all equally likely"
    caption += "." if agent.connection_mask is None else " that can exist."
    possible = None if agent.connection_mask is None else agent.connection_mask["kernel_h"]
    yield Picture("Degrees", caption, degrees(network.connections["kernel_h"], agent.num_excitatory, possible))


def _methods(last: pd.DataFrame) -> TextTable:
    rows = []
    for (environment, label, budget), runs in last.groupby(["environment", "label", "budget"], sort=True):
        seeds = ", ".join(map(str, sorted(runs.seed)))
        rows.append([environment, label, seeds, f"{runs.finished.sum()} of {len(runs)}", f"{budget:,}"])
    header = ["environment", "method", "seeds", "finished", "budget (environment steps)"]
    return TextTable(header, rows, 3, title="methods")


def _once_for_all_seeds(last: pd.DataFrame, commands: dict[str, str | None]) -> list[Command]:
    """Joins commands that differ in the seed alone into one sweep: "… -m … seed=0,1 …"."""
    seeds: dict[tuple[str, str, str], set[int]] = {}
    for run, row in last.iterrows():
        before, word, after = (commands.get(run) or NO_COMMAND).partition(f" seed={row.seed}")
        seeds.setdefault((f"{row.label}, {row.environment}", before, after), set()).add(row.seed if word else None)
    lines = []
    for (method, before, after), numbers in sorted(seeds.items()):
        if None in numbers:
            lines.append(Command(method, before))
            continue
        if len(numbers) > 1:
            before = before.replace(" train ", " train -m ", 1)
        lines.append(Command(method, f"{before} seed={','.join(map(str, sorted(numbers)))}{after}"))
    return lines


def _software(last: pd.DataFrame) -> TextTable:
    """Returns the versions of the software, with the number of runs behind each where there are several."""
    rows = []
    for column in VERSIONS:
        if column in NOT_THERE and last[column].isna().all():
            continue
        counts = last[column].fillna(NOT_THERE.get(column, "unknown")).value_counts()
        several = len(counts) > 1
        values = [f"{_short_commit(value)} ({_runs(count)})" if several else value for value, count in counts.items()]
        rows.append([column.removeprefix("versions."), ", ".join(values)])
    return TextTable(["", "version"], rows, 2, title="software")


def _short_commit(version: str) -> str:
    commit, dash, rest = version.partition("-")
    return f"{commit[:LETTERS_OF_COMMIT]}{dash}{rest}" if len(commit) == 40 else version


def _run_section(row, frame: pd.DataFrame, command: str | None) -> RunSection:
    metrics = frame[frame.run == row.run]
    evaluated = metrics.dropna(subset=["center_return_mean"])
    outcome = f"{_state(row)}, {row.steps:,} steps"
    if len(evaluated):
        final = evaluated.iloc[-1]
        mean, std = map(short_number, (final.center_return_mean, final.center_return_std))
        outcome += f", centre {mean} ± {std} at {final.steps:,}"
    details = {
        "method": f"{row.label} in {row.environment}, seed {row.seed}",
        "generations": f"{row.generation:,}",
        "episodes": f"{row.episodes:,}",
        "failed episodes": MISSING if pd.isna(row.failed_episodes) else f"{row.failed_episodes:,}",
        "wall time": f"{short_number(row.elapsed_seconds)} s",
        "commit": _short_commit(metrics["versions.git_commit"].fillna("unknown").iloc[-1]),
    }
    if reason := _reason(Path(row.run)):
        details["reason"] = reason
    config = Path(row.run) / CONFIG
    return RunSection(
        name=row.run,
        outcome=outcome,
        details="; ".join(f"{name}: {value}" for name, value in details.items()),
        command=command,
        config=config.read_text(encoding="utf-8") if is_run_folder(config.parent) else None,
    )


def _config_of(run: Path) -> dict | None:
    """Returns the configuration of a run whose folder is there; a run from a CSV file has none."""
    return read_config(run / CONFIG) if is_run_folder(run) else None


def _reason(run: Path) -> str | None:
    return read_status(run).get("reason") if (run / STATUS).exists() else None


def _state(row) -> str:
    state = "in an unknown state" if pd.isna(row.state) else row.state
    if row.finished:
        return "finished"
    return "running, or killed" if state == "running" else state


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _made() -> str:
    commit = git_commit(Path(__file__).resolve().parents[2])
    version = f"ec-evotorch {__version__}" + (f", commit {_short_commit(commit)}" if commit else "")
    return f"Made {datetime.now().astimezone():%Y-%m-%d %H:%M %Z} with {version}."
