"""What a network loses without a neuron, a module or a block of connections, and with connections flipped."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student_t

from ec_evotorch.tensors import check_tensor
from experiments.evaluation.plain_env import errors_in_a_line, open_env, warn_of_other_model
from experiments.evaluation.policy_problem import policy_problem
from experiments.neuroscience.wiring import BLOCKS, RECURRENT, Wiring
from experiments.run_folder.policy import SavedPolicy

RHO_GROUPS = 5
FLIPPED_SHARE = 0.01  # of all connections
FLIP_DRAWS = 5
BLOCKS_AT_ONCE = {"recurrence": RECURRENT, "from E": ("E→E", "E→I"), "from I": ("I→E", "I→I")}


@dataclass(frozen=True)
class Lesion:
    """A network in which something is missing or wrong.

    Attributes:
        kind: "neuron", "module", "neurons", "block" or "flip".
        name: Which one.
        wiring: The network with the lesion.
        changed: Number of connections that are others than in the intact network.
    """

    kind: str
    name: str
    wiring: Wiring
    changed: int


def silence(wiring: Wiring, neurons: Sequence[int] | np.ndarray) -> Wiring:
    """Returns a network in which no spike of some neurons reaches another neuron or an output.

    Their rows of kernel_h and kernel_out are off. They still receive and fire, unheard.

    Args:
        wiring: A network of bits.
        neurons: Indices, or an (n,) mask.
    """
    silenced = wiring.copy()
    silenced.kernel_h[neurons] = False
    silenced.kernel_out[neurons] = False
    return silenced


def cut(wiring: Wiring, blocks: Sequence[str]) -> Wiring:
    """Returns a network without the connections of some blocks of `wiring.BLOCKS`."""
    rest = wiring.copy()
    for name in blocks:
        rest.blocks[name][:] = False
    return rest


def flip(wiring: Wiring, places: np.ndarray) -> Wiring:
    """Returns a network in which connections at some places of the solution are there where they were not, and back."""
    kernels = wiring.kernels
    whole = np.concatenate([kernel.ravel() for kernel in kernels])
    searched = np.arange(len(whole)) if wiring.possible is None else np.flatnonzero(wiring.possible.flatten())
    whole[searched[places]] ^= True
    parts = np.split(whole, np.cumsum([kernel.size for kernel in kernels])[:-1])
    return wiring.with_kernels(*(part.reshape(kernel.shape) for part, kernel in zip(parts, kernels, strict=True)))


def lesions(wiring: Wiring, modules: np.ndarray) -> list[Lesion]:
    """Returns all lesions of neurons, modules of several, kinds of neurons and blocks that change a connection.

    Args:
        wiring: A network of bits.
        modules: (n,) number of each neuron's module.
    """
    n = wiring.num_neurons
    excitatory = wiring.signs > 0
    found = [("neuron", str(neuron), silence(wiring, [neuron])) for neuron in range(n)]
    sizes = np.bincount(modules)
    found += [("module", str(m), silence(wiring, modules == m)) for m in np.flatnonzero(sizes > 1)]
    found += [("neurons", f"all {kind}", silence(wiring, excitatory == (kind == "E"))) for kind in ("E", "I")]
    found += [("block", name, cut(wiring, [name])) for name in BLOCKS]
    found += [("block", name, cut(wiring, blocks)) for name, blocks in BLOCKS_AT_ONCE.items()]
    intact = wiring.flatten()
    counted = [Lesion(*lesion, int((lesion[2].flatten() != intact).sum())) for lesion in found]
    return [lesion for lesion in counted if lesion.changed]


def flips(wiring: Wiring, rho: Wiring, generator: np.random.Generator) -> list[Lesion]:
    """Returns networks with one connection in a hundred flipped, among those that evolution had decided more or less.

    Connections are put into five groups of equal size by |ρ − ½|, of equal ones in the order of the solution. Of each
    group five networks are drawn.

    Args:
        wiring: A network of bits.
        rho: Its probabilities ρ.
        generator: Chooses the connections.
    """
    decided = np.abs(rho.flatten() - 0.5)
    groups = np.array_split(np.argsort(decided, kind="stable"), RHO_GROUPS)
    found = []
    for number, group in enumerate(groups, start=1):
        count = min(len(group), max(1, round(FLIPPED_SHARE * len(decided))))
        name = f"fifth {number}, |ρ−½| {decided[group[0]]:.2g} to {decided[group[-1]]:.2g}"
        for _ in range(FLIP_DRAWS):
            places = generator.choice(group, count, replace=False)
            found.append(Lesion("flip", name, flip(wiring, places), count))
    return found


def play(saved: SavedPolicy, solutions: np.ndarray, num_episodes: int, seed: int) -> np.ndarray:
    """Plays the same episodes with each solution, side by side on all cores, as training does.

    Args:
        saved: The policy, whose agent, normaliser and environment these are.
        solutions: (k, L) solutions in the agent's dtype.
        num_episodes: Episodes of each.
        seed: Chooses the episodes.

    Returns:
        (k, num_episodes) returns in the environment's own reward; NaN where an episode failed.

    Raises:
        UserError: If the environment cannot be made or played.

    Warns:
        ResultsWarning: If the environment simulates another model than in training.
    """
    with open_env(saved) as env:
        warn_of_other_model(saved, env)
    policy = saved.policy
    solutions = torch.as_tensor(solutions)
    check_tensor("solutions", solutions, f"a {policy.agent.dtype} tensor of shape (k, {policy.agent.solution_length})")
    with policy_problem(saved, num_episodes, seed=seed) as problem, errors_in_a_line(saved):
        return np.array([problem.evaluate_center(solution, num_episodes, seed=0) for solution in solutions])


def lesion_table(found: Sequence[Lesion], intact: np.ndarray, returns: np.ndarray) -> pd.DataFrame:
    """Returns what each lesion costs.

    Args:
        found: The lesions. Those of one kind and name are draws of one row.
        intact: (episodes,) returns of the intact network.
        returns: (lesions, episodes) returns of the same episodes with each lesion.

    Returns:
        A row for each kind and name, with the columns

        - kind, name, changed: See `Lesion`.
        - mean_return: Mean over episodes (and draws).
        - lost: Mean of what the intact network got more in the same episode.
        - low, high: 95 % interval of `lost`, of Student's t over the episodes; NaN of a single one.
        - lost_share: `lost` as a share of the intact mean; NaN where that is not above 0.

        Failed episodes are left out.
    """
    rows, whole = {}, float(np.nanmean(intact))
    for lesion, played in zip(found, returns, strict=True):
        rows.setdefault((lesion.kind, lesion.name), (lesion.changed, []))[1].append(played)
    table = []
    for (kind, name), (changed, played) in rows.items():
        mean = np.mean(played, axis=0)
        differences = (intact - mean)[np.isfinite(intact - mean)]
        lost, half = _mean_and_half_width(differences)
        table.append(
            {
                "kind": kind,
                "name": name,
                "changed": changed,
                "mean_return": float(np.nanmean(mean)) if np.isfinite(mean).any() else np.nan,
                "lost": lost,
                "low": lost - half,
                "high": lost + half,
                "lost_share": lost / (whole if whole > 0 else np.nan),
            }
        )
    return pd.DataFrame(table)


def _mean_and_half_width(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan), np.nan
    half = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half)
