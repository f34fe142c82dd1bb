"""A trained network taken through all analyses, as tidy tables."""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from agents import RSNN
from experiments.analysis.exact_tests import LEVEL, holm
from experiments.errors import ResultsWarning, UserError
from experiments.evaluation.episodes import episode_seed
from experiments.evaluation.spikes import SpikeTrain, record_spikes
from experiments.evaluation.trained_network import TrainedNetwork
from experiments.neuroscience.activity import avalanches, currents, gait, spike_trains, switching
from experiments.neuroscience.activity.assemblies import find_assemblies
from experiments.neuroscience.comparison import compare
from experiments.neuroscience.lesions import flips, lesion_table, lesions, play
from experiments.neuroscience.matching import can_match, matching_table
from experiments.neuroscience.modules import find_modules
from experiments.neuroscience.null_models import bernoulli, first_generation, rewire, shuffle
from experiments.neuroscience.structure import measure
from experiments.neuroscience.wiring import KERNELS, Wiring
from experiments.run_folder.archive import load_checkpoint
from experiments.run_folder.layout import CONFIG, RHO_BLOCKS, START
from experiments.run_folder.read import read_config
from experiments.run_folder.rho.blocks import DECIDED, entropy, summarize
from experiments.run_folder.rho.histogram import BINS, EDGES

PARTS = ("structure", "activity", "lesions")
ANALYSIS = 0x4E455552  # purpose of the generators here
GO_NOGO = "GoNoGo"  # in the ids of environments with signals, and the name of the wrapper
KEPT = {  # null model -> first words of the measures that it keeps, and which cannot differ
    "Bernoulli": ("density",),
    "rewired": ("density", "in-degree", "out-degree", "degree"),
    "shuffled": ("density",),
    "generation 0": (),
}


def wiring_of(network: TrainedNetwork) -> Wiring:
    """Returns the connections θ* of a policy."""
    return Wiring.of(network.connections, network.agent.num_excitatory, network.agent.connection_mask)


def rho_of(network: TrainedNetwork) -> Wiring | None:
    """Returns the probabilities ρ of its connections; None where they are not known."""
    if network.probabilities is None:
        return None
    return Wiring.of(network.probabilities, network.agent.num_excitatory, network.agent.connection_mask)


def structure_table(
    wiring: Wiring, rho: Wiring | None, prob_init: Mapping[str, np.ndarray] | None, draws: int, seed: int
) -> pd.DataFrame:
    """Compares the wiring with null models.

    θ* is compared with Bernoulli networks of its block densities ("Bernoulli"), with its own connections rewired
    ("rewired") and, where it is known, with generation 0; ρ with its own values shuffled within blocks ("shuffled").
    What a null model keeps is left out.

    Args:
        wiring: The connections θ*.
        rho: Their probabilities; None where they are not known.
        prob_init: Of `first_generation`; None where it is not known.
        draws: Random networks of each null model.
        seed: Chooses them.

    Returns:
        The columns of `compare`, and before them `network` ("θ*" or "ρ") and `null`.
    """
    models = {
        "Bernoulli": (wiring, bernoulli),
        "rewired": (wiring, rewire),
        "generation 0": (wiring, lambda one, generator: first_generation(one, prob_init, generator)),
        "shuffled": (rho, shuffle),
    }
    tables = []
    for number, (null, (network, draw)) in enumerate(models.items()):
        if network is None or (null == "generation 0" and prob_init is None):
            continue
        drawn = []
        for count in range(draws):
            generator = _generator(seed, number, count)
            drawn.append(measure(draw(network, generator), generator))
        observed = measure(network, _generator(seed, len(models), 0))
        observed = {name: value for name, value in observed.items() if not name.startswith(KEPT[null])}
        table = compare(observed, drawn)
        table.insert(0, "network", "ρ" if network is rho else "θ*")
        table.insert(1, "null", null)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def block_table(wiring: Wiring, rho: Wiring | None) -> pd.DataFrame:
    """Describes the blocks of connections.

    Args:
        wiring: The connections θ*.
        rho: Their probabilities; None where they are not known.

    Returns:
        A row for each block with the columns block, size (connections that can exist), density (of θ*); and of ρ, where
        it is known, mean_rho, entropy (bits for each connection) and decided (share with |ρ − ½| > 0.4).
    """
    rows = []
    for name in wiring.blocks:
        block = wiring.searched(name)
        row = {"block": name, "size": block.size, "density": float(block.mean()) if block.size else np.nan}
        if rho is not None and block.size:
            row |= summarize(rho.searched(name))
        rows.append(row)
    return pd.DataFrame(rows)


def decision_table(histogram: pd.DataFrame) -> pd.DataFrame:
    """Returns how far connections were decided at each evaluation of a run, over all kernels.

    Args:
        histogram: A table of `read_rho_histogram`, which knows ρ to 0.02: that of a bin counts as its middle.

    Returns:
        A row for each evaluation with the columns generation, steps, entropy (bits for each connection) and decided
        (share with |ρ − ½| > 0.4).
    """
    counts = histogram[list(BINS)].to_numpy(float)
    shares = counts / counts.sum(axis=1, keepdims=True)
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    table = histogram[["generation", "steps"]].reset_index(drop=True)
    table["entropy"] = shares @ [entropy(np.array([middle])) for middle in middles]
    table["decided"] = shares @ (np.abs(middles - 0.5) > DECIDED)
    return table


def spectrum_table(wiring: Wiring) -> pd.DataFrame:
    """Returns eigenvalues (`real`, `imaginary`) and singular values of the signed matrix of connections, in order."""
    signed = wiring.signs[:, None] * wiring.kernel_h
    eigenvalues = np.linalg.eigvals(signed)
    eigenvalues = eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]
    singular = np.linalg.svd(signed, compute_uv=False)
    return pd.DataFrame({"real": eigenvalues.real, "imaginary": eigenvalues.imag, "singular_value": singular})


def population_table(trains: Collection[SpikeTrain], wiring: Wiring, constants, seed: int) -> pd.DataFrame:
    """Describes the activity of the whole network.

    Args:
        trains: Recorded episodes.
        wiring: The connections θ*.
        constants: Constants of the network's dynamics.
        seed: Chooses the shifts of the null model of correlations.

    Returns:
        A row for each `measure` with its `mean` and `std` over episodes; `episodes` is the number in which it exists.
    """
    rows = pd.DataFrame([_of_population(t, wiring, constants, _generator(seed, 8, i)) for i, t in enumerate(trains)])
    table = pd.DataFrame({"mean": rows.mean(), "std": rows.std(), "episodes": rows.count()})
    return table.rename_axis("measure").reset_index()


def _of_population(train: SpikeTrain, wiring: Wiring, constants, generator: np.random.Generator) -> dict[str, float]:
    counts = spike_trains.bin_counts(train.spikes, train.substeps)
    rate = spike_trains.rates(train.spikes, train.dt)
    correlation = spike_trains.correlations(counts)
    by_chance = spike_trains.correlations(spike_trains.shifted(counts, generator))
    pairs = np.triu(np.isfinite(correlation), 1)
    population = (train.spikes != 0).sum(axis=1)
    external = currents.input_currents(train.inputs, wiring, constants)
    excitation, inhibition = currents.synaptic_currents(train.spikes, wiring, constants)
    e = wiring.num_excitatory
    by_kind = spike_trains.correlation_by_kind(correlation, e)
    sizes = avalanches.avalanche_sizes(population)
    return {
        "rate of E (Hz)": _mean(rate[:e]),
        "rate of I (Hz)": _mean(rate[e:]),
        "silent neurons (share)": float((rate == 0).mean()),
        "CV of intervals": _mean(spike_trains.interval_cv(train.spikes)),
        "Fano factor": _mean(spike_trains.fano_factors(counts)),
        **{f"correlation {name}": value for name, value in by_kind.items()},
        "|correlation|": _mean(np.abs(correlation[pairs])),
        "|correlation| of shifted trains": _mean(np.abs(by_chance[pairs])),
        "dimension": spike_trains.dimension(counts),
        **currents.balance(excitation, inhibition, external),
        "time steps without a spike (share)": float((population == 0).mean()),
        "avalanches": float(len(sizes)),
        "largest avalanche (spikes)": float(max(sizes, default=np.nan)),
        "branching ratio": avalanches.branching_ratio(population),
    }


def summarize_neurons(neurons: pd.DataFrame) -> pd.DataFrame:
    """Returns what a table of `neuron_table` says of the whole network, as rows like those of `population_table`.

    They are one value over all recorded episodes (of the rhythm, in the first), and so have no `std`.
    """
    tuned, switches = (
        float((neurons[column] < LEVEL).mean()) if column in neurons else np.nan
        for column in ("tuning_p_holm", "switching_p_holm")
    )
    values = {
        "assemblies": float(neurons.assembly.max() + 1),
        "silhouette of assemblies": neurons.attrs["silhouette"],
        "period of the rhythm (steps)": neurons.attrs["period"] or np.nan,
        "autocorrelation at the period": neurons.attrs["peak"] or np.nan,
        "neurons tuned to the rhythm (share)": tuned,
        "neurons that switch (share)": switches,
    }
    rows = {measure: mean for measure, mean in values.items() if np.isfinite(mean)}
    return pd.DataFrame({"measure": list(rows), "mean": list(rows.values()), "std": np.nan, "episodes": 1})


def neuron_table(
    trains: Collection[SpikeTrain], wiring: Wiring, modules: np.ndarray, has_signals: bool
) -> pd.DataFrame:
    """Describes every neuron.

    The rhythm is that of the observation with the highest peak of autocorrelation in the first episode, which `attrs`
    names: `rhythm` (its index), `period` (steps) and `peak`; and `silhouette`, the mean of the assemblies.

    Args:
        trains: Recorded episodes.
        wiring: The connections θ*.
        modules: (n,) number of each neuron's module.
        has_signals: Whether the last two observations are GO and NOGO.

    Returns:
        A row for each neuron with the columns neuron, kind ("E" or "I"), inputs, in_degree, out_degree, outputs
        (numbers of connections), module, rate (Hz), cv (of the first episode), fano, assembly; vector_strength, phase
        (radians), tuning_p_holm where there is a rhythm; go_rate, nogo_rate (Hz), switching_p_holm where there are
        signals.
    """
    first = trains[0]
    counts = [spike_trains.bin_counts(train.spikes, train.substeps) for train in trains]
    together = np.concatenate(counts)
    spikes = np.concatenate([train.spikes for train in trains])
    assembly, score = find_assemblies(spike_trains.correlations(together))
    table = pd.DataFrame(
        {
            "neuron": np.arange(wiring.num_neurons),
            "kind": np.where(wiring.signs > 0, "E", "I"),
            "inputs": wiring.kernel_in.sum(axis=0),
            "in_degree": wiring.kernel_h.sum(axis=0),
            "out_degree": wiring.kernel_h.sum(axis=1),
            "outputs": wiring.kernel_out.sum(axis=1),
            "module": modules,
            "rate": spike_trains.rates(spikes, first.dt),
            "cv": spike_trains.interval_cv(first.spikes),
            "fano": spike_trains.fano_factors(together),
            "assembly": assembly,
        }
    )
    table.attrs["silhouette"] = score
    angles = first.inputs[:, : -2 if has_signals else None]
    found = [gait.find_period(angle) for angle in angles.T.astype(np.float64)]
    rhythm = int(np.argmax([peak for _, peak in found]))
    period, peak = found[rhythm]
    table.attrs |= {"rhythm": rhythm, "period": period, "peak": peak}
    if period:
        phase = gait.phases(angles[:, rhythm].astype(np.float64), period)
        table["vector_strength"], table["phase"], p = gait.tuning(counts[0], phase, period)
        table["tuning_p_holm"] = holm(p)
    if has_signals:
        parts = [
            switching.interval_rates(count, train.inputs[:, -2] > train.inputs[:, -1])
            for count, train in zip(counts, trains, strict=True)
        ]
        means, go = (np.concatenate(values) for values in zip(*parts, strict=True))
        go_mean, nogo_mean, p = switching.switching(means, go)
        seconds = first.substeps * first.dt / 1000
        table["go_rate"], table["nogo_rate"] = go_mean / seconds, nogo_mean / seconds
        table["switching_p_holm"] = holm(p)
    return table


def lesions_of(network: TrainedNetwork, modules: np.ndarray, episodes: int, seed: int) -> pd.DataFrame:
    """Plays the network with every lesion; returns the table of `lesion_table`, with a first row "intact".

    ρ, by which connections are chosen to be flipped, is of the last checkpoint; the policy may be an earlier centre.

    Args:
        network: The network.
        modules: (n,) number of each neuron's module.
        episodes: Episodes of each lesion, the same for all.
        seed: Chooses them, and the connections that are flipped.
    """
    wiring = wiring_of(network)
    found = lesions(wiring, modules)
    if (rho := rho_of(network)) is not None:
        found += flips(wiring, rho, _generator(seed, 9, 0))
    is_bits = network.agent.dtype == torch.bool
    solutions = np.array([one.flatten() for one in (wiring, *(lesion.wiring for lesion in found))])
    solutions = solutions if is_bits else np.where(solutions, 1.0, -1.0).astype(np.float32)
    returns = play(network.saved, solutions, episodes, seed)
    table = lesion_table(found, returns[0], returns[1:])
    intact = {"kind": "intact", "name": "", "changed": 0, "mean_return": float(np.nanmean(returns[0]))}
    intact |= dict.fromkeys(("lost", "low", "high", "lost_share"), 0.0)
    return pd.concat([pd.DataFrame([intact]), table], ignore_index=True)


def analyze(
    run: Path,
    network: TrainedNetwork,
    parts: Collection[str],
    *,
    draws: int,
    episodes: int,
    lesion_episodes: int,
    seed: int,
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yields the tables of some parts of the analysis, each with its name.

    Args:
        run: The folder of the run.
        network: Its network.
        parts: Some of `PARTS`.
        draws: Random networks of each null model.
        episodes: Recorded episodes.
        lesion_episodes: Episodes of each lesion.
        seed: Chooses all that is random here, and the episodes.

    Raises:
        UserError: If the environment cannot be made or played.
    """
    wiring = wiring_of(network)
    rho = rho_of(network)
    modules, _ = find_modules(wiring.kernel_h, _generator(seed, 7, 0))
    if "structure" in parts:
        yield "structure", structure_table(wiring, rho, prob_init_of(run, network.agent), draws, seed)
        yield "blocks", block_table(wiring, rho)
        yield "spectrum", spectrum_table(wiring)
        if network.rho_histogram is not None and len(network.rho_histogram):
            yield "decisions", decision_table(network.rho_histogram)
            if network.rho_blocks is None:
                lacking = f"'{run}' has no {RHO_BLOCKS}, which earlier versions did not write"
                warnings.warn(f"{lacking}: how fast each block was decided is not known", ResultsWarning, stacklevel=2)
        if network.rho_blocks is not None and len(network.rho_blocks):
            yield "decisions_by_block", network.rho_blocks
    if "activity" in parts:
        trains = list(record_spikes(network.saved, [episode_seed(seed, episode) for episode in range(episodes)]))
        neurons = neuron_table(trains, wiring, modules, has_go_nogo(network.saved.env))
        population = population_table(trains, wiring, network.agent.constants, seed)
        yield "population", pd.concat([population, summarize_neurons(neurons)], ignore_index=True)
        yield "neurons", neurons
    if "lesions" in parts:
        yield "lesions", lesions_of(network, modules, lesion_episodes, seed)


def match_runs(
    names: Sequence[str], networks: Sequence[TrainedNetwork], draws: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Matches the neurons of every two runs in the same environment whose networks have the same sizes.

    It is done by ρ where both runs tell it, else by the connections θ*.

    Args:
        names: Names of the runs.
        networks: Their networks.
        draws: Random networks to compare each match with.
        seed: Chooses them.

    Returns:
        The table of `compare` for every two runs, with the columns one, other and network ("ρ" or "θ*") before its own;
        and for every neuron of one its partner in the other: one, other, neuron, kind, partner. None if no two runs
        can be matched.
    """
    scores, partners = [], []
    for (one, network), (other, another) in combinations(zip(names, networks, strict=True), 2):
        pair = wiring_of(network), wiring_of(another)
        if network.saved.env["id"] != another.saved.env["id"] or not can_match(*pair):
            continue
        rhos = rho_of(network), rho_of(another)
        has_rho = all(rho is not None for rho in rhos)
        order, table = matching_table(*(rhos if has_rho else pair), draws, lambda draw: _generator(seed, 10, draw))
        table.insert(0, "one", one)
        table.insert(1, "other", other)
        table.insert(2, "network", "ρ" if has_rho else "θ*")
        scores.append(table)
        kinds = np.where(pair[0].signs > 0, "E", "I")
        columns = {"one": one, "other": other, "neuron": np.arange(len(order)), "kind": kinds, "partner": order}
        partners.append(pd.DataFrame(columns))
    return (pd.concat(scores, ignore_index=True), pd.concat(partners, ignore_index=True)) if scores else None


def has_go_nogo(env: Mapping) -> bool:
    """Returns whether an environment, by its keywords, shows the signals GO and NOGO in its last two observations."""
    wrappers = env.get("wrappers") or [{"_target_": ""}]
    return GO_NOGO in env["id"] or wrappers[-1]["_target_"].endswith(GO_NOGO)


def prob_init_of(run: Path, agent: RSNN) -> dict[str, np.ndarray] | None:
    """Returns the probabilities of generation 0.

    Args:
        run: The folder of the run.
        agent: Its agent.

    Returns:
        Name -> probabilities in the shape of the kernel, or 0-d; None where the run does not tell them.

    Raises:
        UserError: If the file with what the search began with is damaged or of another network.
    """
    path = run / CONFIG
    if not path.is_file():
        return None
    searcher = read_config(path).get("searcher")
    given = searcher.get("prob_init") if isinstance(searcher, Mapping) else None
    whole = given if isinstance(given, Mapping) else dict.fromkeys(KERNELS, given)
    if all(isinstance(whole.get(name), int | float) and 0 <= whole[name] <= 1 for name in KERNELS):
        return {name: np.array(float(whole[name])) for name in KERNELS}
    return _read_start(run / START, agent) if (run / START).is_file() else None


def _read_start(path: Path, agent: RSNN) -> dict[str, np.ndarray] | None:
    """Returns the probabilities of generation 0 that a run has kept; None where it began with something else."""
    try:
        searcher = load_checkpoint(path).get("searcher")
    except (OSError, ValueError) as error:
        raise UserError(f"'{path}': expected what the search began with: {error}") from error
    rho = searcher.get("prob_init") if isinstance(searcher, Mapping) else None
    if rho is None:
        return None
    expected = f"'{path}': expected {agent.solution_length} probabilities that the search began with"
    if not isinstance(rho, np.ndarray) or rho.shape != (agent.solution_length,) or rho.dtype.kind != "f":
        raise UserError(f"{expected}; got others")
    if not ((rho >= 0) & (rho <= 1)).all():
        raise UserError(f"{expected}; got numbers that are none")
    return {name: kernel[0].numpy() for name, kernel in agent.split(torch.from_numpy(rho)[None]).items()}


def _generator(seed: int, purpose: int, number: int) -> np.random.Generator:
    return np.random.default_rng([ANALYSIS, seed, purpose, number])


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else np.nan
