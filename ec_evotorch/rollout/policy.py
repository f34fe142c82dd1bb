"""One trained solution as a callable for a plain Gymnasium loop."""

import numpy as np
import torch
from evotorch import Solution

from ec_evotorch.rollout.finite_observations import FINITE
from ec_evotorch.rollout.native_policy import NativePolicy, act
from ec_evotorch.rollout.normalizer import action_scale, normalize_row, rescale_row
from ec_evotorch.rollout.spaces import (
    action_bounds,
    flatten_observations,
    is_vector,
    observation_length,
    takes_numbers,
    to_actions,
)
from native.arguments import check_whole


class Policy:
    """Agent, solution, observation statistics and action bounds: everything that is needed to act.

    Example:
        >>> policy.reset(seed=seed)
        >>> observation, _ = env.reset(seed=seed)
        >>> observation, reward, terminated, truncated, _ = env.step(policy(observation))

    Attributes:
        agent: The agent. Another object with its `reset` and `step`, such as one that records spikes, may be put in its
            place.
        solution: (L,) tensor in the agent's dtype.
        action_low: (act_length,) lower bounds of the numbers that an action is made from.
        action_high: (act_length,) upper bounds of them.
        observation_mean: (obs_length,) float64, or None where observations are not normalised.
        observation_stdev: (obs_length,) float64, or None where observations are not normalised.
        observation_space: Gymnasium's space of an observation; None where it is a vector of float64 already.
        action_space: Gymnasium's space of an action; None where it is the numbers themselves.

    Args:
        agent: An agent, with the methods `initial_state`, `reset` and `step`.
        solution: (L,) tensor or array in the agent's dtype, or an EvoTorch `Solution`.
        action_low: (act_length,) lower bounds of the action space, finite; of another space than a `Box` of one
            dimension and real numbers those of `ec_evotorch.rollout.spaces.action_bounds`.
        action_high: (act_length,) upper bounds, likewise.
        observation_mean: (obs_length,) means by which observations are normalised, or None for no normalisation.
        observation_stdev: (obs_length,) standard deviations, or None for no normalisation.
        observation_space: Space from which observations are flattened, see `ec_evotorch.rollout.spaces`; None where
            they are vectors of float64.
        action_space: Space in which actions are made from the numbers, likewise; None where they are these numbers.

    Raises:
        ValueError: If an argument has the wrong shape or dtype, or only one of the two statistics is given.
    """

    def __init__(
        self,
        agent,
        solution,
        action_low,
        action_high,
        observation_mean=None,
        observation_stdev=None,
        *,
        observation_space=None,
        action_space=None,
    ):
        if not hasattr(agent, "solution_length"):
            raise ValueError(f"agent: expected an agent, got {agent!r}")
        self.solution = as_solution(agent, solution).detach().clone()
        self.action_low = _as_numbers("action_low", action_low)
        self.action_high = _as_numbers("action_high", action_high)
        self._check_bounds(agent)
        self.observation_mean = _statistic("observation_mean", observation_mean)
        self.observation_stdev = _statistic("observation_stdev", observation_stdev)
        self._check_statistics(agent)
        self.observation_space = None if is_vector(observation_space, np.float64) else observation_space
        self.action_space = None if takes_numbers(action_space) else action_space
        self._check_spaces()
        self._middle, self._half_range = action_scale(action_low, action_high)
        self._solutions = self.solution[None]
        self._members = np.zeros(1, dtype=np.int64)
        self._state = agent.initial_state(1, generator=torch.Generator().manual_seed(0))
        self.agent = agent
        self.reset(seed=0)

    @property
    def agent(self):
        """The agent, or what was put in its place."""
        return self._agent

    @agent.setter
    def agent(self, agent) -> None:
        self._agent, self._native_act = agent, None

    def reset(self, seed: int) -> None:
        """Begins an episode; the agent's initial state is a function of the episode's seed.

        Raises:
            ValueError: If the seed is not a whole number of at least 0.
        """
        self._agent.reset(self._state, [0], [check_whole("seed", seed, minimum=0)])

    def __call__(self, observation) -> np.ndarray:
        """Returns the action for an observation, and advances the agent's state by one step.

        Args:
            observation: (obs_length,) numbers; where there is an `observation_space`, an observation of it.

        Returns:
            (act_length,) float32 within the action space's bounds, where an output that is not finite becomes the
            middle; where there is an `action_space`, an action of it that is made from these.

        Raises:
            ValueError: If the observation has another shape, or does not consist of numbers.
        """
        observation = self._check_observation(observation)
        if self._native_act is None:
            self._native_act = self._make_native() or self._step
        numbers = self._native_act(observation)
        return numbers if self.action_space is None else to_actions(self.action_space, numbers)

    def _make_native(self):
        """Returns a function that acts in C on arrays made once, or None where the agent does not offer that."""
        if self._obs_length is None or not hasattr(self._agent, "native"):
            return None
        native = self._agent.native(self._solutions, self._members, self._state)
        if native is None:
            return None
        observation_buffer, action_buffer = np.empty(self._obs_length), np.empty(self._middle.size)
        normalized = self.observation_mean is not None
        policy = NativePolicy(
            native,
            inputs=np.empty((1, self._obs_length), dtype=np.float32),
            outputs=np.empty((1, self._middle.size), dtype=np.float32),
            middle=self._middle,
            half_range=self._half_range,
            sums=np.zeros((1, self._obs_length)),
            sums_of_squares=np.zeros((1, self._obs_length)),
            failed=np.zeros(1, dtype=bool),
            nonfinite=np.full(1, FINITE),
            statistics=(self.observation_mean, self.observation_stdev) if normalized else None,
        )
        step, addresses = act.ctypes, (policy.context, 0, observation_buffer.ctypes.data, action_buffer.ctypes.data)

        def act_natively(observation: np.ndarray, kept_alive=policy) -> np.ndarray:
            observation_buffer[:] = observation
            step(*addresses)
            return action_buffer.astype(np.float32)

        return act_natively

    def _step(self, observation: np.ndarray) -> np.ndarray:
        """Acts by the agent's batched step."""
        inputs = np.empty((1, observation.size), dtype=np.float32)
        if self.observation_mean is None:
            inputs[0] = observation
        else:
            normalize_row(observation, self.observation_mean, self.observation_stdev, inputs[0])
        output = self._agent.step(self._solutions, self._members, inputs, self._state)[0].cpu().numpy()
        if output.shape != self._middle.shape:
            raise ValueError(f"agent: expected an action of shape {self._middle.shape}, got {output.shape}")
        action = np.empty(self._middle.size, dtype=np.float32)
        rescale_row(output, self._middle, self._half_range, action)
        return action

    def __getstate__(self) -> dict:
        # A copy has arrays of its own, at other addresses.
        return self.__dict__ | {"_native_act": None}

    def _check_bounds(self, agent) -> None:
        shape = (getattr(agent, "act_length", self.action_low.size),)
        for name, bounds in (("action_low", self.action_low), ("action_high", self.action_high)):
            if bounds.shape != shape:
                raise ValueError(f"{name}: expected shape {shape}, got {bounds.shape}")

    def _check_statistics(self, agent) -> None:
        """Checks the observation statistics, and finds the length of an observation."""
        mean, stdev = self.observation_mean, self.observation_stdev
        if (mean is None) != (stdev is None):
            raise ValueError("observation_mean, observation_stdev: expected both or neither, got one of them")
        self._obs_length = getattr(agent, "obs_length", None if mean is None else mean.size)
        for name, statistic in (("observation_mean", mean), ("observation_stdev", stdev)):
            if statistic is not None and statistic.shape != (self._obs_length,):
                raise ValueError(f"{name}: expected shape ({self._obs_length},), got {statistic.shape}")
        if stdev is not None and not (stdev > 0).all():
            raise ValueError(f"observation_stdev: expected positive numbers, got {stdev}")

    def _check_spaces(self) -> None:
        """Checks that the spaces are of as many numbers as the agent sees and gives."""
        if self.observation_space is not None:
            length = observation_length(self.observation_space)
            if length != (self._obs_length or length):
                raise ValueError(f"observation_space: expected one of {self._obs_length} numbers, got one of {length}")
        if self.action_space is not None:
            length = len(action_bounds(self.action_space)[0])
            if length != self.action_low.size:
                raise ValueError(f"action_space: expected one of {self.action_low.size} numbers, got one of {length}")

    def _check_observation(self, observation) -> np.ndarray:
        """Returns an observation as (obs_length,) float64."""
        if self.observation_space is not None:
            try:
                return flatten_observations(self.observation_space, observation)
            except ValueError as error:
                raise ValueError(f"observation: {error}") from error
        try:
            given = np.asarray(observation.detach() if isinstance(observation, torch.Tensor) else observation)
            numbers = given.astype(np.float64, copy=False) if given.dtype.kind in "fiub" else None
        except (TypeError, ValueError):
            numbers = None
        length = "obs_length" if self._obs_length is None else self._obs_length
        if numbers is None or numbers.ndim == 0:
            raise ValueError(f"observation: expected numbers of shape ({length},), got {observation!r}")
        if numbers.ndim != 1 or numbers.size != (self._obs_length or numbers.size):
            raise ValueError(f"observation: expected shape ({length},), got {numbers.shape}")
        return numbers


def as_solution(agent, solution) -> torch.Tensor:
    """Returns a solution as a plain tensor.

    Args:
        agent: The agent whose solution it is.
        solution: (L,) tensor or array in the agent's dtype, or an EvoTorch `Solution`.

    Raises:
        ValueError: If it has another shape or dtype.
    """
    values = solution.values if isinstance(solution, Solution) else solution
    try:
        values = torch.as_tensor(values).as_subclass(torch.Tensor)
    except (TypeError, ValueError, RuntimeError):
        expected = f"a tensor or array of {agent.dtype} of shape ({agent.solution_length},)"
        got = "None" if values is None else f"a {type(values).__name__}"
        raise ValueError(f"solution: expected {expected}, got {got}") from None
    if values.shape != (agent.solution_length,):
        raise ValueError(f"solution: expected shape ({agent.solution_length},), got {tuple(values.shape)}")
    if values.dtype != agent.dtype:
        raise ValueError(f"solution: expected {agent.dtype}, got {values.dtype}")
    return values


def _as_numbers(name: str, values) -> np.ndarray:
    """Returns an array of real numbers as it is."""
    try:
        numbers = np.asarray(values)
    except ValueError:  # lists of different lengths
        numbers = np.asarray(None)
    if numbers.dtype.kind not in "fiu":
        raise ValueError(f"{name}: expected numbers, got {values!r}")
    return numbers


def _statistic(name: str, values) -> np.ndarray | None:
    if values is None:
        return None
    numbers = np.array(_as_numbers(name, values), dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name}: expected finite numbers, got {numbers}")
    return numbers
