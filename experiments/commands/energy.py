"""`ec-evotorch energy`: estimates the energy of a policy on a neuromorphic chip."""

from pathlib import Path

from matplotlib.ticker import EngFormatter
from rich.console import Console
from rich.table import Table

from experiments.analysis.text_table import short_number
from experiments.errors import ArgumentParser, UserError, results_warnings_as_lines
from experiments.evaluation.energy import (
    PAPER,
    PAPER_TRAINING,
    Activity,
    Chip,
    Measurement,
    Training,
    chips,
    episode_energy,
    load_chip,
    measure,
    trained,
    training_energy,
)


def main(argv: list[str]) -> None:
    """Runs the command.

    Raises:
        UserError: If an argument is wrong, or the run has no policy of spiking neurons.
    """
    parser = ArgumentParser(
        prog="ec-evotorch energy",
        description="Estimates the energy of the paper's network, and of a run's, on a neuromorphic chip (Appendix D).",
    )
    parser.add_argument("run", type=Path, nargs="?", help="the folder of a run; without one, the paper's numbers only")
    parser.add_argument("--chip", default="loihi", help=f"{', '.join(chips())} (default: loihi), or a YAML file")
    parser.add_argument("--episodes", type=int, default=5, help="in which spikes are counted (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="which episodes, as in evaluate (default: 0)")
    arguments = parser.parse_args(argv)
    for name, minimum in (("episodes", 1), ("seed", 0)):
        if getattr(arguments, name) < minimum:
            raise UserError(f"--{name}: expected a whole number, at least {minimum}; got {getattr(arguments, name)}")
    chip = load_chip(arguments.chip)
    columns = {"paper": _column(chip, PAPER, PAPER_TRAINING)}
    notes = ["paper: episodes of 1,000 environment steps, 16.6 ms each in time steps of 0.5 ms"]
    if arguments.run is not None:
        with results_warnings_as_lines(parser.prog):
            measured, training = measure(arguments.run, arguments.episodes, arguments.seed), trained(arguments.run)
        columns[arguments.run.name] = _column(chip, measured.activity, training)
        notes += _notes(measured)
    _print(chip, columns, notes)


def _column(chip: Chip, activity: Activity, training: Training) -> dict[str, str]:
    joules = EngFormatter(unit="J", places=3)
    episode, total = episode_energy(chip, activity), training_energy(chip, activity, training)
    return {
        "neurons N": f"{activity.num_neurons:,}",
        "updates of a neuron in a time step I": f"{chip.updates_per_neuron:g}",
        "time steps of an episode S": f"{activity.time_steps:,.0f}",
        "spikes of a neuron in a time step R": f"{activity.spike_rate:.4f}",
        "connections that a spike takes C": f"{activity.fan_out:.1f}",
        "energy of an episode": joules(episode),
        "energy of an environment step": joules(episode / activity.steps),
        "generations G": f"{training.generations:,}",
        "episodes of training": f"{training.episodes:,}",
        "environment steps of training": f"{training.steps:,}",
        "energy of training": joules(total),
    }


def _notes(measured: Measurement) -> list[str]:
    return [
        f"spikes counted in {measured.episodes} plain Gymnasium episodes, on average of {measured.activity.steps:,.1f} "
        f"steps and a return of {short_number(measured.mean_return)}",
        f"C: {measured.fan_out_hidden:.1f} neurons and {measured.fan_out_out:.2f} outputs (mean over spikes); an input "
        f"reaches {measured.fan_out_in:.1f} neurons, which is not counted",
        "training: as if every network in it had fired as this one; acting only, no gradients",
    ]


def _print(chip: Chip, columns: dict[str, dict[str, str]], notes: list[str]) -> None:
    table = Table(title=chip.name, caption="\n".join(notes), caption_justify="left")
    table.add_column("", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    for row in columns["paper"]:
        table.add_row(row, *(column[row] for column in columns.values()))
    Console().print(table)
