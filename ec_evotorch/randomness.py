"""Random streams as functions of a key: Philox counters, PyTorch generators, and the table of all streams.

Nothing that runs on a `RolloutProblem` draws from a global generator; an EvoTorch problem that was made without a seed
has PyTorch's default generator. Two numbers are at the root of a run: its **seed**, and the
**search key** of 64 bits, which a searcher draws from the problem's generator when it is made and which is therefore a
function of the seed too. All streams follow from them. A stream is a function of its root and its further words alone:
results do not depend on slots, threads, workers or chunks, nor on what else was drawn.

|    | what is random                            | root                | further words                     | generator |
|----|-------------------------------------------|---------------------|-----------------------------------|-----------|
|  1 | the problem's own generator               | seed                | none                              | PyTorch   |
|  2 | search key                                | stream 1            | none                              | PyTorch   |
|  3 | first centre, unless it is given          | stream 1            | none                              | PyTorch   |
|  4 | populations of EvoTorch's own searchers   | stream 1            | none                              | PyTorch   |
|  5 | bits of a population                      | search key          | four columns, row, generation, 0  | Philox    |
|  6 | bits of `SeparableBernoulli.sample`       | caller's generator  | as 5, of generation 0             | Philox    |
|  7 | noise of antithetic pairs                 | search key          | generation · N/2 + pair           | PyTorch   |
|  8 | first weights of a critic                 | search key          | 0                                 | PyTorch   |
|  9 | PPO's noise; then shuffling for a critic  | search key          | iteration, from 1                 | PyTorch   |
| 10 | episode seed, below 2^63                  | seed                | generation, row, episode, purpose | Philox    |
| 11 | first state of the physics, then signals  | episode seed        | none                              | NumPy     |
| 12 | first membrane potentials of an RSNN      | episode seed        | 0x7652534E                        | NumPy     |
| 13 | episode seed of `evaluate`, from 2^63 on  | `--seed`            | 0xE7A1, episode                   | NumPy     |
| 14 | resamples of intervals and tests          | 0                   | none                              | NumPy     |
| 15 | damaged connections or neurons            | `--seed`            | 0xFA17, fault, draw               | NumPy     |
| 16 | noise on observations, in `evaluate`      | episode seed        | 0x0153, draw                      | NumPy     |
| 17 | random networks of `analyze`              | `--seed`            | 0x4E455552, purpose, number       | NumPy     |
| 18 | connections that can exist, by a density  | seed of the mask    | 0x4D61736B, kernel                | NumPy     |
| 19 | positions of neurons                      | seed of positions   | 0x506F7369                        | NumPy     |
| 20 | noise of antithetic pairs, for a device   | search key          | four places, pair, generation, 1  | Philox    |

Where each is drawn, and by which function:

1. `Problem` of EvoTorch, for `ec_evotorch/rollout/problem.py`; saved and restored by `ec_evotorch/resumable.py`.
2. `draw_key` of this file, for `ec_evotorch/searchers/population_search.py`, `ec_evotorch/searchers/ppo/ppo.py` and
   `ec_evotorch/searchers/actor_critic_ec/actor_critic_ec.py`.
3. `initial_solutions` in `agents/rsnn/agent.py`, `agents/dense_agent.py` and `agents/module_agent.py`, which draws
   seeds for PyTorch's own initialisers and puts PyTorch's state back. For other agents EvoTorch draws uniform values.
4. EvoTorch's distributions.
5. `sample_theta` in `ec_evotorch/distributions/bernoulli.py`, and the same bits on devices of NVIDIA Warp in
   `ec_evotorch/distributions/warp_bernoulli.py`, with the Philox of `ec_evotorch/distributions/warp_philox.py`.
   Generations count from 0; for `ec_evotorch/searchers/actor_critic_ec/actor_critic_ec.py` they are iterations, from 1,
   and rows are the networks that act in one, those of the first steps first.
6. `SeparableBernoulli.sample` in `ec_evotorch/distributions/separable_bernoulli.py`.
7. `sample_antithetic` in `ec_evotorch/distributions/gaussian.py`.
8. `make_critic` in `ec_evotorch/searchers/actor_critic/critic.py`.
9. `noise` of the distributions in `ec_evotorch/searchers/ppo/action_distribution.py`, called by `PPO._step` in
   `ec_evotorch/searchers/ppo/ppo.py`, which then shuffles steps; EC with a critic has no noise, and shuffles in
   `ec_evotorch/searchers/actor_critic/value_learner.py`.
10. `episode_seeds` in `ec_evotorch/rollout/episode_seeds.py`, where the purposes are; searchers with a critic have
    slots for rows, in `ec_evotorch/searchers/actor_critic/collector.py`.
11. Gymnasium's `reset_model` with its PCG64, called by `draw_start` in `envs/start_states.py` for
    `envs/mujoco_vector_env.py`, `envs/warp/vector_env.py` and `envs/warp/worlds.py`; other environments by themselves.
    The signals GO and NOGO come after it from the same generator: `draw_schedule` in `envs/go_nogo/schedule.py`.
12. `RSNN.draw_starts` in `agents/rsnn/agent.py`. There is nothing random in the first states of other agents.
13. `episode_seed` in `experiments/evaluation/episodes.py`.
14. The functions of `experiments/analysis/statistics.py`.
15. `damaged_parts` in `experiments/evaluation/faults.py`.
16. `NoisyAgent.reset` in `experiments/evaluation/faults.py`.
17. `experiments/neuroscience/analysis.py`, which hands its generators to `experiments/neuroscience/null_models.py`,
    `experiments/neuroscience/modules.py`, `experiments/neuroscience/activity/spike_trains.py` and
    `experiments/neuroscience/lesions.py`. Purposes 0 to 3 are null models, 4 the modules of the network itself,
    7 those of its lesions, 8 shifts of spike trains, 9 flipped connections and 10 networks whose neurons are matched
    by `experiments/neuroscience/matching.py`.
18. `draw_mask` in `agents/rsnn/connection_mask.py`; the seed stands beside the density, and is not that of the run.
19. `draw_positions` in `agents/rsnn/anatomy.py`; likewise.
20. `pair_noise` in `ec_evotorch/distributions/philox_normal.py`, and the same numbers on devices of NVIDIA Warp in
    `ec_evotorch/distributions/warp_gaussian.py`. There it takes the place of 7.

Streams of one root differ in their further words, or are of different generators. `initial_state` is called with a
generator of seed 0 in `ec_evotorch/rollout/slots.py`, `ec_evotorch/rollout/policy.py` and the collector of searchers
with a critic, where what it draws is overwritten when an episode begins, and in
`experiments/run_config/check_search.py`, which only tries whether the agent acts. The inputs of benchmarks
(`experiments/bench`) have fixed seeds.
"""

from numbers import Integral

import numpy as np
import torch

from native.compiled import compiled

NUM_ROUNDS = 10
WORD_MASK = 0xFFFFFFFF

MULTIPLIER_0 = 0xD2511F53
MULTIPLIER_1 = 0xCD9E8D57
WEYL_0 = 0x9E3779B9  # golden ratio
WEYL_1 = 0xBB67AE85  # sqrt(3) - 1

# The same constants with the types that keep numba in 32- and 64-bit unsigned arithmetic.
_M0, _M1 = np.uint64(MULTIPLIER_0), np.uint64(MULTIPLIER_1)
_W0, _W1 = np.uint32(WEYL_0), np.uint32(WEYL_1)
_HALF = np.uint64(32)


def split_key(key: int) -> tuple[int, int]:
    """Splits a 64-bit key into its (low, high) 32-bit words.

    Raises:
        ValueError: If the key does not fit into 64 unsigned bits.
    """
    if isinstance(key, bool) or not isinstance(key, Integral) or not 0 <= key < 2**64:
        raise ValueError(f"key: expected an integer in [0, 2**64), got {key!r}")
    key = int(key)
    return key & WORD_MASK, key >> 32


def draw_key(generator=None) -> int:
    """Draws a 64-bit key.

    Args:
        generator: A `torch.Generator`, any object with a `generator` attribute such as an EvoTorch `Problem`, or None
            for PyTorch's default generator.

    Returns:
        Integer, uniform in [0, 2**64).
    """
    generator = getattr(generator, "generator", generator)
    device = "cpu" if generator is None else generator.device
    low, high = torch.randint(0, 2**32, (2,), dtype=torch.int64, generator=generator, device=device).tolist()
    return low | high << 32


def philox4x32(counter: tuple, key: tuple[int, int]) -> tuple:
    """Computes the four words of each counter by Philox4x32-10; written for reading, and for any device.

    Args:
        counter: Four int64 tensors (or integers) that broadcast against one another, with values in [0, 2**32).
        key: Low and high word of the key.

    Returns:
        Four int64 tensors with values in [0, 2**32).

    Source: Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3", https://doi.org/10.1145/2063384.2063405
    """
    c0, c1, c2, c3 = (torch.as_tensor(word, dtype=torch.int64) for word in counter)
    k0, k1 = key
    for _ in range(NUM_ROUNDS):
        # The 64-bit products wrap to negative numbers but keep their bits; the mask takes the words back out.
        product_0 = c0 * MULTIPLIER_0
        product_1 = c2 * MULTIPLIER_1
        c0, c2 = (product_1 >> 32 & WORD_MASK) ^ c1 ^ k0, (product_0 >> 32 & WORD_MASK) ^ c3 ^ k1
        c1, c3 = product_1 & WORD_MASK, product_0 & WORD_MASK
        k0, k1 = (k0 + WEYL_0) & WORD_MASK, (k1 + WEYL_1) & WORD_MASK
    return c0, c1, c2, c3


@compiled(nogil=True)
def _round(state):
    c0, c1, c2, c3, k0, k1 = state
    product_0 = _M0 * np.uint64(c0)
    product_1 = _M1 * np.uint64(c2)
    return (
        np.uint32(product_1 >> _HALF) ^ c1 ^ k0,
        np.uint32(product_1),
        np.uint32(product_0 >> _HALF) ^ c3 ^ k1,
        np.uint32(product_0),
        np.uint32(k0 + _W0),
        np.uint32(k1 + _W1),
    )


@compiled(nogil=True)
def _five_rounds(state):
    return _round(_round(_round(_round(_round(state)))))


@compiled(nogil=True)
def philox4x32_words(c0, c1, c2, c3, k0, k1):
    """Computes the four words of one counter, like `philox4x32`, within numba kernels; everything is uint32.

    The ten rounds are written out instead of looped over, so that LLVM vectorises a caller's loop over counters.
    """
    return _five_rounds(_five_rounds((c0, c1, c2, c3, k0, k1)))[:4]


# 2^64 over the golden ratio. It is odd: key + k·WEYL mod 2^32 takes every value once before it repeats.
_WEYL = 0x9E3779B97F4A7C15


def make_generator(key: int, generation: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Makes a PyTorch generator whose stream is a function of (key, generation) and the type of device.

    The seeds of up to 2^32 generations differ in their lower 32 bits, the only ones that PyTorch's CPU generator uses.

    Args:
        key: Integer in [0, 2**64).
        generation: Integer in [0, 2**32): a generation, or another number that tells the streams of one key apart.
        device: Device of the generator.
    """
    return torch.Generator(device).manual_seed((key + generation * _WEYL) % 2**64)
