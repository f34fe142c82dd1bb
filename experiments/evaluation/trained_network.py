"""The one-bit spiking network of a run: its connections and their probabilities."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from agents import RSNN
from ec_evotorch import EvolvingConnectivity
from experiments.errors import UserError
from experiments.evaluation.episodes import load_policy_of_run
from experiments.run_folder.layout import CONFIG, RHO_BLOCKS, RHO_HISTOGRAM
from experiments.run_folder.policy import SavedPolicy
from experiments.run_folder.read import read_config
from experiments.run_folder.rho.blocks import read_rho_blocks
from experiments.run_folder.rho.histogram import read_rho_histogram


@dataclass(frozen=True)
class TrainedNetwork:
    """What can be drawn of a network.

    Attributes:
        saved: The policy, whose agent is an `RSNN` with one-bit connections, and its environment.
        connections: kernel_in, kernel_h and kernel_out -> (presynaptic, postsynaptic) bool: those of the policy.
        probabilities: The same for ρ in the last checkpoint, float32; None where no checkpoint has it. The policy is
            [ρ > 0.5], or in a run that chooses its policy, of this or an earlier generation.
        why_no_probabilities: The reason why there are none, "" if they are there.
        rho_histogram: Table of `read_rho_histogram`, None where the run has none.
        rho_blocks: Table of `read_rho_blocks`, None where the run has none.
    """

    saved: SavedPolicy
    connections: dict[str, np.ndarray]
    probabilities: dict[str, np.ndarray] | None
    why_no_probabilities: str
    rho_histogram: pd.DataFrame | None
    rho_blocks: pd.DataFrame | None

    @property
    def agent(self) -> RSNN:
        """The network as an agent: how many neurons it has, which of them are excitatory, and so on."""
        return self.saved.policy.agent


def load_network(run: Path, trust: Collection[str] = ()) -> TrainedNetwork:
    """Reads the network of a run.

    Args:
        run: The folder of the run.
        trust: Packages besides our own whose code the policy may use, see `check_targets`.

    Raises:
        UserError: If the run has no policy, or one without one-bit connections between spiking neurons.
    """
    saved = load_policy_of_run(run, trust)
    agent, solution = saved.policy.agent, saved.policy.solution
    if not isinstance(agent, RSNN) or agent.connections == "real":
        raise UserError(f"'{run}': expected one-bit connections of spiking neurons (agent=rsnn searcher=ec)")
    probabilities, why = None, "its searcher does not search over ρ"
    if agent.connections == "boolean":
        try:
            probabilities, why = _split(agent, _read_rho(run, solution, _chooses(run))), ""
        except UserError as error:
            why = str(error)
    histogram, blocks = run / RHO_HISTOGRAM, run / RHO_BLOCKS
    return TrainedNetwork(
        saved=saved,
        connections=_split(agent, solution > 0),
        probabilities=probabilities,
        why_no_probabilities=why,
        rho_histogram=read_rho_histogram(histogram) if histogram.exists() else None,
        rho_blocks=read_rho_blocks(blocks) if blocks.exists() else None,
    )


def _chooses(run: Path) -> bool:
    """Returns whether the policy of a run is its incumbent, and not the centre of the last generation."""
    return (run / CONFIG).is_file() and read_config(run / CONFIG).get("incumbent") is not None


def _read_rho(run: Path, solution: torch.Tensor, may_be_earlier: bool) -> torch.Tensor:
    from experiments.run_folder.checkpoints import find_checkpoints, read_checkpoint  # which need Hydra's OmegaConf

    paths = find_checkpoints(run)
    if not paths:
        raise UserError("the run has no checkpoint")
    newest = paths[-1]
    try:
        rho = EvolvingConnectivity.prob_in(read_checkpoint(newest).search)
    except ValueError as error:
        raise UserError(f"'{newest.name}' has no connection probabilities") from error
    if rho.shape != solution.shape:
        raise UserError(f"'{newest.name}' has no probability for each connection")
    if not may_be_earlier and not torch.equal(rho > 0.5, solution):
        raise UserError(f"'{newest.name}' is of another generation than the policy")
    return rho


def _split(agent: RSNN, values: torch.Tensor) -> dict[str, np.ndarray]:
    return {name: kernel[0].numpy() for name, kernel in agent.split(values[None]).items()}
