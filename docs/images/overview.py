"""Draws `docs/images/overview.png`, the picture of the README, from the run of `make demo` and the saved results.

    python docs/images/overview.py runs/demo

Top: the trained network hops; one episode at equal intervals from left to right. Below: learning curves of EC and of
the methods that were trained as long (`experiments/results`), the spikes of that episode, and how the connection
probabilities ρ moved away from 0.5 in training.
"""

import sys
from pathlib import Path

import gymnasium
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FixedLocator, MaxNLocator

from experiments.analysis import load
from experiments.evaluation.episodes import episode_seed
from experiments.evaluation.spikes import record_spikes
from experiments.evaluation.trained_network import TrainedNetwork, load_network
from experiments.figures.curves import curve_points
from experiments.figures.style import BLUE, LARGE, SMALL, VERMILLION, method_styles, tidy_axes
from experiments.run_folder.rho.histogram import BINS, EDGES

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER.parents[1] / "experiments" / "results" / "hopper-longer.csv"
BUDGET = 5_000_000  # environment steps of the runs whose curves are drawn
FIRST_POSE = 60  # environment steps, when the hopper has left its upright start behind
POSES = 18  # drawings of the hopper
STEPS_BETWEEN_POSES = 8
METRES_BETWEEN_POSES = 0.35  # in the picture, besides what the hopper has moved
SHOWN_STEPS = 30  # environment steps of the raster
DOTS_PER_INCH = 150


def main(run: Path, output: Path = FOLDER / "overview.png") -> Path:
    """Draws the picture of a run of EC on a spiking network, and returns where it is."""
    network = load_network(run)
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    axes = figure.subplot_mosaic([["hopper"] * 3, ["curves", "spikes", "rho"]], height_ratios=[1, 1.7])
    draw_poses(axes["hopper"], network)
    draw_curves(axes["curves"])
    draw_spikes(axes["spikes"], network)
    draw_probabilities(axes["rho"], network)
    figure.savefig(output, dpi=DOTS_PER_INCH)
    return output


def draw_poses(axes: Axes, network: TrainedNetwork) -> None:
    """Draws the hopper from the side, as capsules of MuJoCo's model, at equal intervals of one episode."""
    env = gymnasium.make(**network.saved.env)
    seed, policy = episode_seed(0, 0), network.saved.policy
    policy.reset(seed=seed)
    observation, _ = env.reset(seed=seed)
    model, data = env.unwrapped.model, env.unwrapped.data
    for step in range(FIRST_POSE + STEPS_BETWEEN_POSES * POSES):
        pose, is_between = divmod(step - FIRST_POSE, STEPS_BETWEEN_POSES)
        if pose >= 0 and not is_between:
            for geom in range(1, model.ngeom):  # number 0 is the floor
                radius, half_length = model.geom_size[geom][:2]
                along = data.geom_xmat[geom].reshape(3, 3)[:, 2]
                ends = data.geom_xpos[geom] + np.outer([-half_length, half_length], along)
                line = Line2D(ends[:, 0] + METRES_BETWEEN_POSES * pose, ends[:, 2], linewidth=90 * radius)
                line.set(color=BLUE, alpha=0.2 + 0.8 * (pose + 1) / POSES, solid_capstyle="round")
                axes.add_line(line)
        observation, _, terminated, truncated, _ = env.step(policy(observation))
        if terminated or truncated:
            break
    env.close()
    axes.axhline(0, color="0.6", linewidth=1)
    axes.set_aspect("equal")
    axes.autoscale_view()
    axes.set_ylim(bottom=-0.1)
    axes.axis("off")


def draw_curves(axes: Axes) -> None:
    """Draws the learning curves of EC and of the methods that were trained as long: means of three seeds and ranges."""
    frame = load(RESULTS)
    points = curve_points(frame[frame.budget == BUDGET])
    styles = method_styles(points.method.unique())
    for method, part in points.groupby("method"):
        style = styles[method]
        axes.plot(part.x, part.value, label=method, linewidth=1.2, markersize=3, markevery=0.12, **style)
        axes.fill_between(part.x, part.low, part.high, color=style["color"], alpha=0.1, linewidth=0)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.set_xlabel("environment steps", fontsize=LARGE)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("return on Hopper-v5", fontsize=LARGE)
    axes.set_title("learning: mean and range of 3 seeds", fontsize=LARGE)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower right", ncols=2, columnspacing=1)
    tidy_axes(axes)


def draw_spikes(axes: Axes, network: TrainedNetwork) -> None:
    """Draws a dot for each spike in half a second of the episode."""
    train = next(iter(record_spikes(network.saved, [episode_seed(0, 0)])))
    window = train.spikes[: SHOWN_STEPS * train.substeps]
    times, neurons = np.nonzero(window)
    for chosen, color in ((window[times, neurons] > 0, BLUE), (window[times, neurons] < 0, VERMILLION)):
        axes.plot(times[chosen] * train.dt, neurons[chosen], "s", color=color, markersize=0.8, markeredgewidth=0)
    axes.set_xlim(0, len(window) * train.dt)
    axes.yaxis.set_major_locator(FixedLocator([0, network.agent.num_excitatory, window.shape[1]]))
    axes.set_xlabel("simulated time (ms)", fontsize=LARGE)
    axes.set_ylabel("neuron", fontsize=LARGE)
    axes.set_title("spikes: excitatory (blue), inhibitory (red)", fontsize=LARGE)
    tidy_axes(axes)


def draw_probabilities(axes: Axes, network: TrainedNetwork) -> None:
    """Draws the distribution of ρ at the first evaluation of the training, in its middle and at its end."""
    rows = network.rho_histogram
    chosen = rows.iloc[np.unique([0, len(rows) // 2, len(rows) - 1])]
    for shade, (_, row) in zip(np.linspace(0.75, 0.0, len(chosen)), chosen.iterrows(), strict=True):
        counts = row[list(BINS)].to_numpy(float)
        label = f"{EngFormatter(sep='', places=0)(row.steps)} steps"
        axes.stairs(counts / counts.sum(), EDGES, color=str(shade), linewidth=1, label=label)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("connection probability ρ", fontsize=LARGE)
    axes.set_ylabel("share of connections", fontsize=LARGE)
    axes.set_title(f"what evolves: {network.agent.solution_length:,} probabilities", fontsize=LARGE)
    axes.legend(fontsize=SMALL, frameon=False, loc="center")
    tidy_axes(axes)


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
