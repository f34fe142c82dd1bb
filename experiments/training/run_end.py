"""What the search of a run can take from the end of another run."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ec_evotorch import EvolvingConnectivity
from experiments.analysis.load_results import settings_digest
from experiments.analysis.method_label import method_label
from experiments.errors import UserError
from experiments.evaluation.episodes import load_policy_of_run
from experiments.run_folder.checkpoints import find_checkpoints, read_checkpoint
from experiments.run_folder.layout import CONFIG, POLICY_DESCRIPTION, POLICY_TENSORS
from experiments.run_folder.read import read_config
from experiments.run_folder.status import read_status
from experiments.zoo.entry import is_entry, read_entry
from experiments.zoo.zoo import resolve

SUMS = ("count", "sum", "sum_of_squares")  # of a normaliser's state


@dataclass(frozen=True)
class End:
    """What a search can take from the end of a run.

    Attributes:
        solution: (L,) bool or float32, the policy of the run.
        rho: (L,) float32, its connection probabilities; those of a policy alone, as in the zoo, are its bits; None for
            real weights.
        shapes: Shapes of the kernels by name, in their order.
        connection_mask: Which entries of the kernels the numbers are of, see `agents.agent.Agent`; None if of all.
        normalizer: State of the observation normaliser of the search; None if observations were not normalised.
        policy_normalizer: That with which the policy acts, which is an earlier one where the policy is an incumbent.
        record: What config.yaml keeps of it: `path`, `sha256` of the files that were read, and `run`, which says what
            the run was.
    """

    solution: torch.Tensor
    rho: torch.Tensor | None
    shapes: dict[str, tuple[int, ...]]
    connection_mask: dict[str, np.ndarray] | None
    normalizer: dict | None
    policy_normalizer: dict | None
    record: dict[str, str]


def read_end(run: str | Path, trust: Collection[str] = ()) -> End:
    """Reads what a search can take from a run.

    Args:
        run: The folder of the run, or zoo/NAME.
        trust: Packages besides our own whose code the policy may use, see `check_targets`.

    Raises:
        UserError: If there is no run with a policy, or something in it is damaged.
    """
    folder = resolve(Path(run))
    if not folder.is_dir():
        raise UserError(f"expected the folder of a run, or zoo/NAME; there is no folder '{run}'")
    policy = load_policy_of_run(folder, trust).policy
    files, solution = [folder / POLICY_DESCRIPTION, folder / POLICY_TENSORS], policy.solution
    rho = normalizer = policy_normalizer = None
    if checkpoints := find_checkpoints(folder):
        files.append(checkpoints[-1])
        search = read_checkpoint(checkpoints[-1]).search
        try:
            rho = EvolvingConnectivity.prob_in(search) if solution.dtype == torch.bool else None
            normalizer = _only_sums(search["problem"]["own"]["normalizer"])
            policy_normalizer = _only_sums((search.get("incumbent") or {}).get("normalizer")) or normalizer
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"'{checkpoints[-1]}': expected the state of a search: {error}") from error
    elif policy.observation_mean is not None:
        normalizer = policy_normalizer = _sums(_steps(folder), policy.observation_mean, policy.observation_stdev)
    if rho is None and solution.dtype == torch.bool:
        rho = solution.float()
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    shapes = getattr(policy.agent, "parameter_shapes", {"": (len(solution),)})
    record = {"path": str(folder.resolve()), "sha256": digest, "run": _description(folder, run)}
    mask = getattr(policy.agent, "connection_mask", None)
    return End(solution, rho, dict(shapes), mask, normalizer, policy_normalizer, record)


def _only_sums(state: dict | None) -> dict | None:
    """Returns the part of a normaliser's state that is one, whatever else a checkpoint holds."""
    return state and {name: state[name] for name in SUMS}


def _steps(folder: Path) -> int:
    """Returns over how many environment steps a policy without a checkpoint was trained."""
    try:
        return read_entry(folder).steps if is_entry(folder) else int(read_status(folder)["steps"])
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"'{folder}': expected the number of its environment steps in status.json: {error}") from error


def _sums(count: int, mean: np.ndarray, stdev: np.ndarray) -> dict:
    """Returns the state of a normaliser with this mean and this standard deviation."""
    return {"count": count, "sum": mean * count, "sum_of_squares": (stdev**2 + mean**2) * count}


def _description(folder: Path, name: str | Path) -> str:
    """Returns what a run was: all runs of one method with one budget have the same text, whatever their seed."""
    if not (folder / CONFIG).is_file():
        return str(name)
    config = read_config(folder / CONFIG)
    method = method_label(config["agent"], config["searcher"])
    return f"{method} on {config['env']['id']}, {config['budget']:,} steps, settings {settings_digest(config)[:6]}"
