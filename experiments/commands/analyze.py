"""`ec-evotorch analyze`: how trained networks are wired, how they act, and which of their parts carry the behaviour."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from ec_evotorch.logging import quiet_evotorch
from experiments.analysis.exact_tests import LEVEL
from experiments.analysis.text_table import TextTable, print_table, text_table_of
from experiments.commands.arguments import add_trust_argument, folder_to_make, whole_number
from experiments.errors import ArgumentParser, UserError, results_warnings_as_lines
from experiments.evaluation.trained_network import TrainedNetwork, load_network
from experiments.figures import neuroscience as figures
from experiments.figures.network import blocks_over_training
from experiments.figures.style import encode
from experiments.neuroscience.analysis import PARTS, analyze, match_runs
from experiments.neuroscience.comparison import combine
from experiments.run_folder.atomic_write import write_atomic
from experiments.zoo.zoo import resolve

SHOWN = 12  # rows of the longer tables on the terminal
MATCHING = "matching"  # the part of several runs together
ACROSS_RUNS, PARTNERS = "structure_across_runs.csv", "matched_neurons.csv"


def main(argv: list[str]) -> None:
    """Runs the command.

    Args:
        argv: The arguments after the command's name.

    Raises:
        UserError: If an argument is wrong, or a run has no one-bit network.
    """
    parser = ArgumentParser(
        prog="ec-evotorch analyze",
        description="Compares the wiring of trained one-bit networks with random ones, describes their activity, plays"
        " them without each neuron, module and block of connections, and matches the neurons of several runs of one"
        " task. Writes tables (CSV) and figures (PNG).",
    )
    parser.add_argument(
        "runs", type=Path, nargs="+", help="folders of runs, or zoo/NAME for policies that come with this package"
    )
    parser.add_argument(
        "--part",
        choices=(*PARTS, MATCHING),
        action="append",
        help="do only this part; may be given several times (default: all four)",
    )
    parser.add_argument(
        "--draws", type=whole_number(2), default=200, help="random networks of each null model (default: 200)"
    )
    parser.add_argument(
        "--episodes", type=whole_number(1), default=5, metavar="N", help="how many episodes to record (default: 5)"
    )
    parser.add_argument(
        "--lesion-episodes",
        type=whole_number(2),
        default=10,
        metavar="N",
        help="how many episodes to play with each lesion, the same for all (default: 10)",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, help="chooses the random networks and the episodes (default: 0)"
    )
    parser.add_argument(
        "--output",
        type=folder_to_make,
        default=Path("analysis"),
        metavar="FOLDER",
        help="write into this folder, with one inside it for each run (default: analysis)",
    )
    add_trust_argument(parser)
    arguments = parser.parse_args(argv)
    parts = (*PARTS, MATCHING) if arguments.part is None else arguments.part
    names = [run.resolve().name for run in arguments.runs]
    if len(set(names)) < len(names):
        raise UserError(
            f"runs: expected folders of different names, since results are named so; got {', '.join(names)}"
        )
    if set(parts) == {MATCHING} and len(names) < 2:
        raise UserError("--part matching: expected several runs, got one")
    runs = [resolve(run) for run in arguments.runs]
    networks = [load_network(run, arguments.trust) for run in runs]
    quiet_evotorch()
    console = Console()
    structures = []
    for name, run, network in zip(names, runs, networks, strict=True):
        with results_warnings_as_lines(parser.prog):
            tables = dict(
                analyze(
                    run,
                    network,
                    parts,
                    draws=arguments.draws,
                    episodes=arguments.episodes,
                    lesion_episodes=arguments.lesion_episodes,
                    seed=arguments.seed,
                )
            )
        if not tables:
            continue
        output = arguments.output / name
        output.mkdir(parents=True, exist_ok=True)
        for part, table in tables.items():
            _write(table, output / f"{part}.csv")
        for part, figure in _figures(tables):
            write_atomic(output / f"{part}.png", encode(figure, "png"))
        for table in _summaries(name, tables):
            print_table(console, table)
        console.print(f"tables and figures are in {output}", highlight=False, soft_wrap=True)
        structures += [tables["structure"]] if "structure" in tables else []
    if MATCHING in parts and len(networks) > 1:
        _match(console, arguments, names, networks)
    if len(structures) > 1:
        together = combine(structures)
        _write(together, arguments.output / ACROSS_RUNS)
        different = together[together.p_holm < LEVEL].sort_values("p_holm")
        title = (
            f"all {len(structures)} runs together: {len(different)} of {len(together)} comparisons differ from chance"
        )
        print_table(console, text_table_of(different.head(SHOWN), title))


def _match(console: Console, arguments: Namespace, names: list[str], networks: list[TrainedNetwork]) -> None:
    """Matches the neurons of the runs, and writes and shows how well they agree."""
    found = match_runs(names, networks, arguments.draws, arguments.seed)
    if found is None:
        console.print(
            "no neurons were matched: no two of these runs have the same environment and sizes",
            highlight=False,
            soft_wrap=True,
        )
        return
    scores, partners = found
    arguments.output.mkdir(parents=True, exist_ok=True)
    _write(scores, arguments.output / f"{MATCHING}.csv")
    _write(partners, arguments.output / PARTNERS)
    whole = scores[scores.measure == "all"].drop(columns=["measure", "null_std"])
    print_table(console, text_table_of(whole, "neurons matched: correlation of connections, and that found by chance"))


def _write(table: pd.DataFrame, path: Path) -> None:
    write_atomic(path, table.to_csv(index=False, lineterminator="\n").encode())


def _figures(tables: dict[str, pd.DataFrame]) -> Iterator[tuple[str, Figure]]:
    neurons = tables.get("neurons")
    if "structure" in tables:
        yield "structure", figures.z_scores(tables["structure"])
        yield "spectrum", figures.spectrum(tables["spectrum"])
    if "decisions_by_block" in tables:
        yield "decisions_by_block", blocks_over_training(tables["decisions_by_block"])
    if neurons is not None and "phase" in neurons:
        yield "tuning", figures.tuning(neurons)
    if neurons is not None and "go_rate" in neurons and neurons[["go_rate", "nogo_rate"]].notna().all(axis=None):
        yield "switching", figures.switching(neurons)
    if "lesions" in tables:
        yield "lesions", figures.lesions(tables["lesions"], neurons)


def _summaries(name: str, tables: dict[str, pd.DataFrame]) -> Iterator[TextTable]:
    """Yields what is most worth reading of each part."""
    if "structure" in tables:
        structure = tables["structure"]
        yield text_table_of(tables["blocks"], f"{name}: connections")
        order = structure.z.abs().sort_values(ascending=False, kind="stable").index
        different = structure.loc[order][structure.p_holm[order] < LEVEL]
        columns = ["network", "null", "measure", "observed", "null_mean", "null_low", "null_high", "z", "p_holm"]
        title = f"{name}: {len(different)} of {structure.z.notna().sum()} comparisons of the wiring differ from chance"
        yield text_table_of(different[columns].head(SHOWN), title)
    if "population" in tables:
        yield text_table_of(tables["population"], f"{name}: activity")
    if "lesions" in tables:
        lesions = tables["lesions"]
        neurons = lesions[lesions.kind == "neuron"].nlargest(SHOWN, "lost")
        yield text_table_of(neurons, f"{name}: the neurons without which most is lost")
        yield text_table_of(lesions[lesions.kind != "neuron"], f"{name}: other lesions")
