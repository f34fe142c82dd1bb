"""A trained policy on disk: arrays in policy.safetensors, everything else in policy.json. Nothing is pickled.

policy.json has the keys

    format, format_version    "ec-evotorch policy", and 2 if there is a space below, else 1
    agent                     _target_ and keywords, without the lengths of observation and action
    env                       id and keywords of gymnasium.make; wrappers: a list of _target_ and keywords
    observation_space         only if observations are not vectors of float64, see `experiments.run_folder.spaces`
    action_space              only if actions are not the numbers that the network gives, likewise
    model_digest              only if it simulates a MuJoCo model of the user's own: see `envs.model_digest`
    observation_length, action_length, solution_length
    dtype                     of the solution: "bool" or "float32"
    sha256                    checksum of the rest of policy.json and all of policy.safetensors

and policy.safetensors the arrays

    solution                  bool: ceil(L / 8) bytes, numpy.packbits; float32: (L,)
    action_low, action_high   (action_length,)
    observation_mean, observation_stdev  (observation_length,) float64; only if observations are normalised
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ec_evotorch import Policy
from experiments.errors import UserError
from experiments.run_config.construct import construct
from experiments.run_config.keys import MODEL_DIGEST
from experiments.run_config.targets import check_targets
from experiments.run_config.wrappers import check_wrappers, saved_keywords
from experiments.run_folder.archive import SHA256, check_format, checksum, pack, unpack
from experiments.run_folder.atomic_write import write_atomic
from experiments.run_folder.layout import POLICY_DESCRIPTION, POLICY_TENSORS
from experiments.run_folder.spaces import describe_space, read_space

if TYPE_CHECKING:
    from omegaconf import DictConfig

FORMAT, VECTORS, ANY_SPACES = "ec-evotorch policy", 1, 2  # a reader of the first version would misread the second
SPACES = ("observation_space", "action_space")
DTYPES = {"bool": torch.bool, "float32": torch.float32}
ARRAYS = ("solution", "action_low", "action_high", "observation_mean", "observation_stdev")
KEYS = {
    "format": str,
    "format_version": int,
    "agent": dict,
    "env": dict,
    "observation_length": int,
    "action_length": int,
    "solution_length": int,
    "dtype": str,
    "sha256": str,
}


@dataclass(frozen=True)
class SavedPolicy:
    """A policy read from a run folder.

    Attributes:
        policy: Policy that is ready to act.
        env: Keywords of `gymnasium.make`, with `id`, for the environment that it was trained in. If there are wrappers,
            `experiments.run_config.wrappers.keywords_of_plain` makes them functions for `envs.make_plain`.
        model_digest: The MuJoCo model of the user's own that it was trained with, see `envs.model_digest`; None if it
            was none.
    """

    policy: Policy
    env: dict
    model_digest: str | None = None


def save_policy(folder: Path, policy: Policy, agent: "DictConfig", env: "DictConfig") -> None:
    """Writes policy.safetensors and policy.json into a folder, each whole or not at all.

    Args:
        folder: Folder to write to; it must exist.
        policy: Policy to save.
        agent: Configuration of the agent: `_target_`, keywords and labels.
        env: Configuration of the environment: `id`, keywords and labels.

    Raises:
        UserError: If a file cannot be written.
    """
    from experiments.run_config.keywords import keywords  # needs Hydra, which loading a policy does not

    solution = torch.as_tensor(policy.solution).cpu().numpy()
    arrays = {
        "solution": np.packbits(solution) if solution.dtype == np.bool_ else solution.astype(np.float32),
        "action_low": np.asarray(policy.action_low),
        "action_high": np.asarray(policy.action_high),
    }
    if policy.observation_mean is not None:
        arrays["observation_mean"] = np.asarray(policy.observation_mean, dtype=np.float64)
        arrays["observation_stdev"] = np.asarray(policy.observation_stdev, dtype=np.float64)
    tensors = pack(arrays)
    description = {
        "format": FORMAT,
        "format_version": VECTORS,
        "agent": _without(keywords("agent", agent), "_partial_"),
        "env": saved_keywords(keywords("env", env)),
        "observation_length": policy.agent.obs_length,
        "action_length": policy.agent.act_length,
        "solution_length": len(solution),
        "dtype": "bool" if solution.dtype == np.bool_ else "float32",
    }
    if MODEL_DIGEST in env:
        description[MODEL_DIGEST] = env[MODEL_DIGEST]
    for name in SPACES:
        space = getattr(policy, name)
        if space is not None:
            description[name] = describe_space(space, is_action=name == "action_space")
            description["format_version"] = ANY_SPACES
    description[SHA256] = checksum(description, tensors)
    write_atomic(folder / POLICY_TENSORS, tensors)
    write_atomic(folder / POLICY_DESCRIPTION, (json.dumps(description, indent=2) + "\n").encode())


def load_policy(folder: Path, trust: Collection[str] = ()) -> SavedPolicy:
    """Reads the policy of a run folder.

    Args:
        folder: Folder of the run.
        trust: Packages whose agents and environments may be made besides ours, see `check_targets`.

    Raises:
        FileNotFoundError: If one of the two files is not there.
        ValueError: If a file is damaged or not ours, or the agent or the environment names code that is neither known
            in its place nor of a package in `trust`. The message names the file and what is wrong with it.
    """
    path = folder / POLICY_DESCRIPTION
    description = _read_description(path)
    tensors = (folder / POLICY_TENSORS).read_bytes()
    if description[SHA256] != checksum(description, tensors):
        raise ValueError(f"'{folder}': {POLICY_TENSORS} or {POLICY_DESCRIPTION} is damaged: the checksum does not fit")
    try:
        check_targets({part: description[part] for part in ("agent", "env")}, trust)
        check_wrappers(description["env"])
    except UserError as error:
        raise ValueError(f"'{path}': {error}") from error
    try:
        lengths = (description["observation_length"], description["action_length"])
        agent = construct(_without(description["agent"], "_partial_"), *lengths)
    except Exception as error:  # whatever the constructor does not think of
        raise ValueError(f"'{path}': agent: {str(error) or type(error).__name__}") from error
    if str(agent.dtype) != f"torch.{description['dtype']}" or agent.solution_length != description["solution_length"]:
        raise ValueError(
            f"'{path}': expected a solution of {agent.solution_length} values of {agent.dtype} for this agent; "
            f"got {description['solution_length']} of {description['dtype']}"
        )
    arrays = _read_arrays(folder / POLICY_TENSORS, tensors, description)
    try:
        policy = Policy(agent, **arrays, **_read_spaces(description))
    except ValueError as error:
        raise ValueError(f"'{path}': {error}") from error
    return SavedPolicy(policy, description["env"], description.get(MODEL_DIGEST))


def _read_spaces(description: dict) -> dict:
    spaces = {}
    for name in SPACES:
        if name in description:
            try:
                spaces[name] = read_space(description[name])
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
    return spaces


def _read_description(path: Path) -> dict:
    try:
        description = json.loads(path.read_bytes())
    except ValueError as error:  # json.JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise ValueError(f"'{path}': expected JSON: {error}") from error
    try:
        check_format(description if isinstance(description, dict) else {}, FORMAT, VECTORS, ANY_SPACES)
    except ValueError as error:
        raise ValueError(f"'{path}': {error}") from error
    for key, kind in KEYS.items():
        if not isinstance(description.get(key), kind):
            raise ValueError(f"'{path}': expected the key '{key}' with a {kind.__name__}; got {description.get(key)!r}")
    if description["dtype"] not in DTYPES:
        raise ValueError(f"'{path}': dtype: expected one of {', '.join(DTYPES)}; got '{description['dtype']}'")
    if not isinstance(description.get(MODEL_DIGEST), str | None):
        raise ValueError(f"'{path}': {MODEL_DIGEST}: expected a str; got {description[MODEL_DIGEST]!r}")
    for part, key in (("agent", "_target_"), ("env", "id")):
        if not isinstance(description[part].get(key), str):
            raise ValueError(f"'{path}': {part}: expected the key '{key}' with a str; got {description[part]!r}")
    return description


def _read_arrays(path: Path, tensors: bytes, description: dict) -> dict:
    """Returns the keywords of `Policy` besides its agent."""
    try:
        arrays, _ = unpack(tensors)
    except ValueError as error:
        raise ValueError(f"'{path}': {error}") from error
    for name in arrays:
        if name not in ARRAYS:
            raise ValueError(f"'{path}': expected the arrays {', '.join(ARRAYS)}; got '{name}'")
    length = description["solution_length"]
    stored_length = (length + 7) // 8 if description["dtype"] == "bool" else length
    stored_dtype = np.dtype(np.uint8 if description["dtype"] == "bool" else np.float32)
    _check_array(path, arrays, "solution", stored_length)
    if arrays["solution"].dtype != stored_dtype:
        raise ValueError(f"'{path}': solution: expected dtype {stored_dtype}; got {arrays['solution'].dtype}")
    for name in ("action_low", "action_high"):
        _check_array(path, arrays, name, description["action_length"])
    if "observation_mean" in arrays or "observation_stdev" in arrays:
        for name in ("observation_mean", "observation_stdev"):
            _check_array(path, arrays, name, description["observation_length"])
        if not (arrays["observation_stdev"] > 0).all():
            raise ValueError(f"'{path}': observation_stdev: expected numbers above 0")
    if not (arrays["action_low"] <= arrays["action_high"]).all():
        raise ValueError(f"'{path}': expected action_low to be at most action_high")
    if description["dtype"] == "bool":
        arrays["solution"] = np.unpackbits(arrays["solution"], count=length).astype(np.bool_)
    return {**arrays, "solution": torch.from_numpy(arrays["solution"])}


def _check_array(path: Path, arrays: dict[str, np.ndarray], name: str, length: int) -> None:
    if name not in arrays:
        raise ValueError(f"'{path}': expected the array '{name}'; got {', '.join(sorted(arrays))}")
    if arrays[name].shape != (length,):
        raise ValueError(f"'{path}': {name}: expected shape ({length},); got {arrays[name].shape}")
    if arrays[name].dtype.kind not in "fiu" or not np.isfinite(arrays[name]).all():
        raise ValueError(f"'{path}': {name}: expected finite numbers; got some of {arrays[name].dtype}")


def _without(mapping: dict, *keys: str) -> dict:
    return {key: value for key, value in mapping.items() if key not in keys}
