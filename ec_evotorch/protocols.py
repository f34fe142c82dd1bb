"""The contract between the rooms: what an agent, a vector environment, a problem and a searcher must and may offer.

The rooms do not import one another. A problem is given a function that makes environments and one that makes agents,
and uses what they return through the methods below, whatever class they are. What something *must* have stands in one
protocol (`Agent`, `VectorEnv`); what it *may* have stands in a protocol of its own, and is used where it is found:

| it may have | what for | without it |
|---|---|---|
| `NativeAgent` and `NativeVectorEnv` | whole episodes are played without Python | one Python call per step |
| `SynapticAgent` | `ActorCriticEC` learns from currents | it learns from whole networks |
| `ResponsiveAgent` | `ActorCriticEC` learns from what currents did to the outputs | it learns from currents |
| `DeviceAgent` and `DeviceVectorEnv` | `RolloutProblem(device=…)` | the problem refuses a device |
| `InitializingAgent` | where a search begins | uniform in [−1, 1], or fair bits |
| `DifferentiableAgent` | `PPO`, which needs its gradient | `PPO` refuses the agent |
| `memory` of it | `ActorCriticEC`, whose episodes go on | `ActorCriticEC` refuses the agent |
| `RestingVectorEnv` | episodes can be given up | they run on unseen until their slots are reset |
| `LimitedVectorEnv` | `max_episode_steps` of the problem | the problem counts the steps, one Python call each |
| `DivergingVectorEnv` | unstable physics count as failed | only NaN and infinite returns do |
| `GenerationProblem` | a problem prepares a population, or learns with the search | populations are just evaluated |
| `CountingProblem` | EvoTorch's `num_interactions` goes on after resuming | it starts at zero |
| `StructuredProblem` | settings of a searcher for each kernel | a number, or one for each element |
| `DeviceProblem` and `DeviceDistribution` | a population lives as seeds on a device | it is an array |
| `TrialProblem` | `Incumbent`, which chooses among the centres of a search | `Incumbent` refuses the searcher |
| `Stateful` | a problem, a searcher or an optimizer can be saved | `Resumable` refuses the searcher or optimizer |

Shapes: B slots (sub-environments, each with an agent's state), N solutions of a population, each of length L.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch

# ---------------------------------------------------------------------------------------------------------------------
# Agents
# ---------------------------------------------------------------------------------------------------------------------


@runtime_checkable
class Agent(Protocol):
    """A network with a state that acts in B slots at once, each slot with one row of a population of solutions.

    Attributes:
        obs_length: Numbers in an observation.
        act_length: Numbers in an action.
        solution_length: L, numbers in a solution.
        dtype: Type of these numbers, `torch.bool` or `torch.float32`.
    """

    obs_length: int
    act_length: int
    dtype: torch.dtype

    @property
    def solution_length(self) -> int:
        """L, numbers in a solution."""

    def initial_state(self, batch_size: int, *, generator: torch.Generator | None = None) -> Any:
        """Returns a state of B slots, to be passed to the other methods and changed by them in place.

        Args:
            batch_size: B.
            generator: Source of whatever is random in the state, on the device where the state is to be.
        """

    def reset(self, state: Any, slots: Sequence[int], seeds: Sequence[int]) -> None:
        """Begins an episode in some slots; their state then is a function of the episode's seed alone.

        Args:
            state: State of B slots, changed in place in these slots only.
            slots: Indices of the slots.
            seeds: One non-negative integer for each of them.
        """

    def step(self, solutions: torch.Tensor, members: Any, obs: Any, state: Any) -> torch.Tensor:
        """Acts: takes one environment step in every slot.

        Args:
            solutions: (N, L) in `dtype`.
            members: (B,) integers, the row of `solutions` that each slot acts with; a slot with a negative one rests.
            obs: (B, obs_length) float32 observations.
            state: State of B slots, changed in place.

        Returns:
            (B, act_length) float32 actions in [−1, 1]; 0 for a resting slot.
        """


@runtime_checkable
class NativeFunction(Protocol):
    """A step of one slot as a C function, and what it works on.

    Attributes:
        function: Address of `void step(int64 context, int64 slot, float* observation, float* action)`, which may be
            called from several threads at once for different slots.
        context: Address that is passed to it; what it points to lives as long as this object.
    """

    function: int
    context: int


@runtime_checkable
class NativeAgent(Protocol):
    """An agent that can act without Python."""

    def native(self, solutions: torch.Tensor, members: np.ndarray, state: Any) -> NativeFunction | None:
        """Returns the agent's step as a C function on these arrays, or None if it has none for them.

        Args:
            solutions: (N, L) in the agent's dtype.
            members: (B,) int64, read at every call, so that the caller may change it in between.
            state: State of B slots, changed in place by the function.
        """


@runtime_checkable
class InitializingAgent(Protocol):
    """An agent that says where a search over its solutions sensibly begins."""

    def initial_solutions(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """Draws solutions to start from.

        Args:
            count: How many.
            generator: Source of all randomness.

        Returns:
            (count, L) in the agent's dtype.
        """


@runtime_checkable
class BlockAgent(Protocol):
    """An agent that knows of which blocks its solutions consist, such as connections between kinds of neurons."""

    def solution_blocks(self) -> dict[str, np.ndarray]:
        """Returns the names of the blocks, each with the places (k,) int64 of its entries in a solution.

        Blocks do not overlap; one may have no place.
        """
        ...


@runtime_checkable
class DifferentiableAgent(Protocol):
    """An agent whose outputs have a gradient with respect to its solution."""

    def readout(self, state: Any) -> torch.Tensor:
        """Returns the outputs of the last step before they were clipped, (B, act_length) float32."""

    def memory(self, state: Any) -> Any:
        """Returns what of `state` the next step depends on: tensors (B, …), nested in tuples and dictionaries."""

    def unroll(self, solution: torch.Tensor, observations: torch.Tensor, memory: Any, lengths: torch.Tensor):
        """Computes the outputs of one solution over sequences of steps, with a gradient.

        Args:
            solution: (L,) float32.
            observations: (T, S, obs_length) float32.
            memory: `memory` of S slots before the first step of each sequence; no gradient flows into it.
            lengths: (S,) int64 steps of each sequence, falling, in [1, T].

        Returns:
            (T, S, act_length) float32, those of `readout` after each step; 0 after the end of a sequence.
        """


@runtime_checkable
class SynapticAgent(Protocol):
    """An agent whose units add up what their connections transmit, and which says what that is.

    Unit n of a group has the current Σ x_j w_jn, over the rows j of some kernels with w in a solution.
    """

    def current_sources(self) -> Sequence[Sequence[tuple[str, slice, str, float]]]:
        """Returns the groups of units, each with the sources of its currents.

        A source is the name of a kernel in `parameter_shapes`, of shape (rows, units of the group); a slice of its
        rows; which entry of `transmitted` they transmit; and the sign with which they do, 1.0 or −1.0.
        """

    def transmitted(self, obs: Any, state: Any) -> dict[str, torch.Tensor]:
        """Returns what was transmitted in the last step, (B, rows) float32 each, by name.

        Args:
            obs: (B, obs_length) float32 observations of the step.
            state: State of B slots after it.
        """


@runtime_checkable
class ResponsiveAgent(SynapticAgent, Protocol):
    """A `SynapticAgent` of two groups of units, hidden ones and outputs, which says how the hidden ones respond.

    The outputs add up one entry of `transmitted`, to which each hidden unit contributes one number.
    """

    def membranes(self, state: Any) -> torch.Tensor:
        """Returns a copy of what the responses of hidden units depend on before a step, (B, units) float32."""

    def responses(self, membranes: torch.Tensor, means: torch.Tensor, stdevs: torch.Tensor) -> tuple[str, torch.Tensor]:
        """Returns how much more hidden units transmit to the outputs for each unit of current more.

        Args:
            membranes: (R, units) float32 before the steps.
            means: (R, units) float32, means of the units' currents in these steps.
            stdevs: (R, units) float32, their standard deviations.

        Returns:
            The entry of `transmitted` that the outputs add up, and (R, units) float32, the slopes of its expectation.
        """


@runtime_checkable
class DeviceAgent(Protocol):
    """An agent whose networks can stay on a device of NVIDIA Warp, for a loop that only launches kernels.

    Its factory takes a keyword `device`, the name of the device.
    """

    def draw_starts(self, seeds: Sequence[int]) -> torch.Tensor:
        """Returns what is random in the states with which episodes begin, (n, …) float32, a function of each seed."""

    def on_device(self, num_slots: int) -> Any:
        """Makes B slots on the agent's device, each with a network of its own.

        Returns:
            An object whose methods only launch kernels on Warp's current stream, so that a graph can capture them. It
            has `device`, Warp's; `members`, a (B,) int32 tensor on the device, negative where a slot rests; `state`,
            which `memory` of the agent, and `transmitted` of a `SynapticAgent`, can read; `launch_load(solutions,
            renewed)`, with (B, ⌈L / 32⌉) uint32 words of bits, or (B, L) float32, by the agent's dtype;
            `launch_reset(starting, starts, rows)`, with rows of `draw_starts`; and `launch_step(observations,
            actions)`, (B, obs_length) and (B, act_length) float32. `renewed` and `starting` are (B,) bool, `rows` (B,)
            int32. An action that is not finite stays so.
            What launches by other means than kernels of Warp does so by `native.warp_device.launch_function`.
        """


class AgentFactory(Protocol):
    """A function that makes agents, such as `functools.partial(agents.RSNN, num_neurons=256)`."""

    def __call__(self, obs_length: int, act_length: int, /) -> Agent:
        """Makes an agent for an environment with observations and actions of these lengths."""


# ---------------------------------------------------------------------------------------------------------------------
# Environments
# ---------------------------------------------------------------------------------------------------------------------


@runtime_checkable
class VectorEnv(Protocol):
    """A vector environment of B sub-environments: Gymnasium's `VectorEnv` with autoreset disabled and partial reset.

    A sub-environment whose episode has ended stays as it is until it is reset: it keeps its last observation and flags,
    and pays 0.

    Attributes:
        num_envs: B.
        single_observation_space: Gymnasium's space of an observation, see `ec_evotorch.rollout.spaces`.
        single_action_space: Gymnasium's space of an action, likewise.
    """

    num_envs: int
    single_observation_space: Any
    single_action_space: Any

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Begins episodes.

        Args:
            seed: List of B seeds; entries of sub-environments that are not reset are None.
            options: `{"reset_mask": (B,) bool}`, which sub-environments are reset.

        Returns:
            B observations, those of the others unchanged, as Gymnasium puts them together; and Gymnasium's `info`.
        """

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Takes a step in every sub-environment whose episode has not ended.

        Args:
            actions: B actions; of a one-dimensional `Box` (B, act_length) float32 within the bounds.

        Returns:
            B observations, rewards (B,), terminated (B,) bool, truncated (B,) bool, and `info`.
        """

    def close(self, **kwargs: Any) -> None:
        """Frees what the environment holds."""


@runtime_checkable
class NativeVectorEnv(Protocol):
    """A vector environment that lets a C function act, from threads of its own.

    Attributes:
        finished: (B,) bool, sub-environments whose episode has ended or not begun.
        episode_return: (B,) float64, sum of rewards since the sub-environment's reset.
        episode_length: (B,) int64, steps since then.
        observations: (B, obs_length) float64, the current observations.
    """

    @property
    def finished(self) -> np.ndarray:
        """Sub-environments whose episode has ended or not begun, (B,) bool."""

    @property
    def episode_return(self) -> np.ndarray:
        """Sum of rewards since each sub-environment's reset, (B,) float64."""

    @property
    def episode_length(self) -> np.ndarray:
        """Steps since each sub-environment's reset, (B,) int64."""

    @property
    def observations(self) -> np.ndarray:
        """The current observation of each sub-environment, the last one where it has ended, (B, obs_length)."""

    def rollout(self, policy: int, context: int, max_steps: int = ...) -> None:
        """Lets every sub-environment whose episode has not ended go on until it has.

        Args:
            policy: Address of `void policy(int64 context, int64 slot, double* observation, double* action)`.
            context: Address that is passed to it.
            max_steps: Most steps that a sub-environment takes in this call; whole episodes if it is left out.
        """


@runtime_checkable
class RestingVectorEnv(Protocol):
    """A vector environment whose episodes can be given up."""

    def rest(self) -> None:
        """Ends all episodes: no sub-environment is simulated until it is reset."""


@runtime_checkable
class LimitedVectorEnv(Protocol):
    """A vector environment whose episodes can be limited."""

    def limit_episodes(self, max_episode_steps: int) -> None:
        """Truncates every episode from now on after so many steps, if it has not ended before."""


@runtime_checkable
class DivergingVectorEnv(Protocol):
    """A vector environment that notices when its physics become unstable."""

    @property
    def diverged(self) -> np.ndarray:
        """Sub-environments whose physics became unstable in the current episode, (B,) bool."""


@runtime_checkable
class DeviceVectorEnv(Protocol):
    """A vector environment that can be stepped on a device of NVIDIA Warp, by a loop that only launches kernels.

    Its factory takes a keyword `device`, the name of the device.
    """

    @property
    def on_device(self) -> Any:
        """An object whose methods that begin with `launch_` only launch kernels on Warp's current stream.

        It has arrays of Warp that live as long as it does: `observations` (B, obs_length) float32, `actions`
        (B, act_length) float32, `rewards` (B,) float64 of the last step, and `finished`, `terminated`, `diverged` and
        `overflowed` (B,) bool, the second where the episode has ended and was not truncated, the last where arrays of
        the physics were too small; `device` and `num_envs`; and, for searchers with a critic, `memory`, the arrays on
        which alone, besides the actions, it depends what the slots do from now on.
        `draw_starts(seeds)` returns a tuple of arrays with a row for each seed; `launch_reset(starting, starts, rows)`
        begins episodes from rows of these where `starting` (B,) bool is true, with `rows` (B,) int32;
        `launch_rest(resting)` ends all episodes where `resting` is true; and `launch_step()` takes a step in every slot
        that is not finished; the others pay 0.
        """


class VectorEnvFactory(Protocol):
    """A function that makes vector environments, such as `functools.partial(envs.make_vec, "Hopper-v5")`."""

    def __call__(self, *, num_envs: int, num_threads: int) -> VectorEnv:
        """Makes a vector environment.

        Args:
            num_envs: B.
            num_threads: Threads that step the physics, 0 for all cores.
        """


# ---------------------------------------------------------------------------------------------------------------------
# Problems and searchers
# ---------------------------------------------------------------------------------------------------------------------


@runtime_checkable
class Stateful(Protocol):
    """A problem, searcher or optimizer that can be saved and restored, as with PyTorch's modules.

    A state is a dictionary of tensors, NumPy arrays, numbers, strings, None and further such dictionaries, all keys
    strings. It holds what changes over time, not the arguments that the object was made with.
    """

    def state_dict(self) -> dict:
        """Returns the state; what happens later leaves the returned dictionary as it is."""

    def load_state_dict(self, state: dict) -> None:
        """Takes the state of an object that was made with the same arguments."""


@runtime_checkable
class GenerationProblem(Protocol):
    """A problem that is told by `PopulationSearch` when a generation begins and ends, as `RolloutProblem` is.

    It can thus begin to evaluate a population before it is sampled (from `rows`), and keep copies of the search that
    learn by themselves (from `learner`).
    """

    def begin_generation(self, rows: Any, learner: Any) -> None:
        """Takes notice of the population that is evaluated next.

        Args:
            rows: A `SeededRows`, which can make any row of the population.
            learner: The `Learner` whose population it is.
        """

    def end_generation(self, evals: torch.Tensor, learner: Any) -> None:
        """Takes notice of the evaluations (N,) from which the `learner` is about to learn."""


@runtime_checkable
class DeviceProblem(Protocol):
    """A problem that can play a population on a device, of which it is told no more than the seed.

    If the distribution of a `PopulationSearch` is a `DeviceDistribution`, `evaluate` gets a `SeededPopulation`, whose
    `part.rows` says what the rows are; otherwise it gets solutions as ever.

    Attributes:
        device_of_rows: Name of the device of NVIDIA Warp; None where solutions must be in memory.
    """

    device_of_rows: str | None


@runtime_checkable
class StructuredProblem(Protocol):
    """A problem that knows of which kernels its solutions consist.

    Attributes:
        parameter_shapes: Shapes of the kernels by name, in the order in which they stand, flattened, in a solution.

    If it has a `connection_mask` that is not None, a mapping from the name of each kernel to a bool array in its shape,
    then a solution is without the entries for which that is False.
    """

    parameter_shapes: dict[str, tuple[int, ...]]


@runtime_checkable
class CountingProblem(Protocol):
    """A problem that keeps count of its episodes.

    Attributes:
        episode_statistics: An object such as `EpisodeStatistics`: `status` is a dictionary of entries for the problem's
            status, `counts` is the part of it that is counted from the start of the run, and `interactions` is the
            number of environment steps among these, "total_interaction_count".
    """

    episode_statistics: Any


@runtime_checkable
class TrialProblem(CountingProblem, Protocol):
    """A problem that plays episodes of one solution which count as training.

    If it has an attribute `normalizer` that is not None, such as an `ObservationNormalizer`, then that has `copy`,
    `state_dict` and `load_state_dict`, and `play_trial` takes a copy in a keyword `normalizer`, to be used instead.
    """

    def play_trial(self, solution: torch.Tensor, num_episodes: int, seed: int) -> np.ndarray:
        """Plays episodes and counts them in `episode_statistics`.

        Args:
            solution: (L,) solution.
            num_episodes: Number of episodes.
            seed: Which episodes.

        Returns:
            (num_episodes,) returns; NaN or infinite where an episode failed.
        """


# ---------------------------------------------------------------------------------------------------------------------
# Search distributions
# ---------------------------------------------------------------------------------------------------------------------


@runtime_checkable
class SeededDistribution(Protocol):
    """A search distribution whose samples are functions of a seed: all that a `PopulationSearch` needs to know of it.

    It is immutable: learning makes another one. Any row of any generation can be made anywhere and in any order, which
    is what makes chunks, workers with copies of the search, and exact resuming possible.

    A new distribution is one class with these members and a searcher that hands it to a `Learner`, see
    `EvolutionStrategy` for a short one.
    """

    @property
    def vector(self) -> torch.Tensor:
        """The numbers that are learned, (L,) float32."""

    def with_vector(self, vector: torch.Tensor) -> Self:
        """Returns a copy with other numbers (L,) in the place of `vector`, and everything else the same."""

    def fill_rows(self, out: torch.Tensor, key: int, generation: int, first_row: int, popsize: int) -> None:
        """Samples consecutive rows of a population.

        Each row is a function of `vector`, `key`, `generation`, its number and `popsize` alone.

        Args:
            out: (n, L) contiguous tensor that is overwritten, in the dtype of solutions.
            key: 64-bit key of the search.
            generation: Number of the generation, counted from 0.
            first_row: Number of the first row of `out` in the population.
            popsize: N, rows of the whole population.
        """

    def updated(
        self, parts: Iterable[torch.Tensor], utilities: torch.Tensor, optimizer: Any, learning_rate: float | None
    ) -> Self:
        """Learns from a population and returns the distribution for the next one.

        Args:
            parts: All rows of the population in their order, in tensors (n, L); each is looked at before the next one
                is asked for, and may then be overwritten.
            utilities: (N,) float64, finite; higher is better.
            optimizer: An object with `ascent(gradient)`, which returns the step (L,) to add; None for plain ascent.
            learning_rate: Step size of plain ascent; not used if there is an optimizer.
        """


@runtime_checkable
class DeviceDistribution(Protocol):
    """A seeded distribution that a device of NVIDIA Warp can sample and learn from, without an array of all rows."""

    def on_device(self, device: Any) -> Any:
        """Returns an object that samples rows on a device.

        Args:
            device: Name of the device.

        Returns:
            An object whose `launch_sample(rows, renewed, out)` only launches, with numbers of rows (B,) int64, which of
            them to sample (B,) bool, and the solutions that are overwritten there: bits (B, ⌈L / 32⌉) uint32, or
            numbers (B, L) float32. Which population they are of is what `set_rows` has said last.
        """

    def set_rows(self, sampler: Any, key: int, generation: int, popsize: int) -> None:
        """Says which rows a sampler makes from now on, also one that has been captured in a graph.

        Args:
            sampler: What `on_device` has made of this distribution, or of another one of its class and length.
            key: 64-bit key of the search.
            generation: Number of the generation.
            popsize: N, rows of the whole population.
        """

    def updated_by_seed(
        self,
        key: int,
        generation: int,
        utilities: torch.Tensor,
        optimizer: Any,
        learning_rate: float | None,
        device: Any,
    ) -> Self:
        """Learns as `SeededDistribution.updated` does, maybe up to rounding, from the population of a generation.

        Args:
            key: 64-bit key of the search.
            generation: Number of the generation.
            utilities: (N,) float64, finite; higher is better.
            optimizer: An object with `ascent(gradient)`; None for plain ascent.
            learning_rate: Step size of plain ascent.
            device: Name of the device that makes the rows.
        """
