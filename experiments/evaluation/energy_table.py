"""The estimated energy of the paper's network, and of a run's, as a table of texts."""

from matplotlib.ticker import EngFormatter

from experiments.analysis.text_table import TextTable, short_number
from experiments.evaluation.energy import (
    PAPER,
    PAPER_TRAINING,
    Activity,
    Chip,
    Measurement,
    Training,
    episode_energy,
    training_energy,
)


def energy_table(
    chip: Chip, run: str | None = None, measured: Measurement | None = None, training: Training | None = None
) -> TextTable:
    """Returns the quantities of the energy formula, a row for each.

    Args:
        chip: The chip.
        run: Name of a run, for a column of its own beside the paper's; None for the paper's alone.
        measured: What the policy of the run did.
        training: How long the run was trained.
    """
    columns = {"paper": _column(chip, PAPER, PAPER_TRAINING)}
    notes = ["Paper: episodes of 1,000 environment steps, each 16.6 ms in time steps of 0.5 ms."]
    if run is not None:
        columns[run] = _column(chip, measured.activity, training)
        notes += _notes(measured)
    rows = [[name, *(column[name] for column in columns.values())] for name in columns["paper"]]
    return TextTable(["", *columns], rows, 1, notes, title=chip.name)


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
        f"Spikes were counted in {measured.episodes} plain Gymnasium episodes, with a mean length of"
        f" {measured.activity.steps:,.1f} steps and a mean return of {short_number(measured.mean_return)}.",
        f"C: {measured.fan_out_hidden:.1f} neurons and {measured.fan_out_out:.2f} outputs, mean over spikes. An input"
        f" reaches {measured.fan_out_in:.1f} neurons, which is not counted.",
        "Training: as if every network in it had fired as this one does. Acting alone is counted, not gradients.",
    ]
