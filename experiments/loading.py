"""One trained policy for a plain Python loop, with everything that it needs to act: `load_policy`."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from experiments.evaluation.episodes import load_policy_of_run
from experiments.evaluation.plain_env import make_env
from experiments.run_folder.policy import SavedPolicy
from experiments.zoo.zoo import resolve


class LoadedPolicy:
    """A policy that was read from a folder: a function from observation to action, and the environment it was made for.

    Observations are normalised as in training and actions are in the units of the environment, so that nothing is left
    to do between the two:

        policy = load_policy("runs/demo")
        env = policy.make_env()
        observation, _ = env.reset(seed=1)
        policy.reset(seed=1)
        observation, reward, terminated, truncated, _ = env.step(policy(observation))

    Attributes:
        saved: What the folder holds: the agent, its solution and the statistics of observations as `policy`, and the
            keywords of `gymnasium.make` as `env`.
    """

    def __init__(self, saved: SavedPolicy):
        self.saved = saved

    @property
    def env(self) -> dict:
        """Keywords of `gymnasium.make`, with `id`, for the environment that the policy was trained in."""
        return dict(self.saved.env)

    def make_env(self, **keywords: Any) -> gymnasium.Env:
        """Makes the plain Gymnasium environment that the policy was trained in.

        Args:
            **keywords: Keywords of `gymnasium.make` besides those of training or in their place, such as
                `render_mode="human"`.

        Raises:
            UserError: If it cannot be made, or its observations or actions are not those of the policy.
        """
        return make_env(self.saved, **keywords)

    def reset(self, seed: int) -> None:
        """Begins an episode; the network's first state is a function of the seed alone.

        Raises:
            ValueError: If the seed is not a whole number of at least 0.
        """
        self.saved.policy.reset(seed)

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Returns the action for an observation, and advances the network by one environment step.

        Args:
            observation: (obs_length,) numbers, as the environment gives them.

        Returns:
            (act_length,) float32, as the environment takes them.

        Raises:
            ValueError: If the observation has another shape, or does not consist of numbers.
        """
        return self.saved.policy(observation)


def load_policy(folder: str | Path, trust: Collection[str] = ()) -> LoadedPolicy:
    """Reads the policy of a run, or one of the zoo.

    The folder may have been copied from elsewhere: `policy.json` and `policy.safetensors` in it are enough. Hydra is
    not needed.

    Args:
        folder: The folder of a run, or `zoo/NAME` such as "zoo/hopper".
        trust: Packages besides our own whose code the policy may use, as after `--trust` on the command line: each by
            its name, or by the path of its file or folder.

    Raises:
        UserError: If there is no policy, it is damaged, or it uses code of a package that is not trusted.
    """
    return LoadedPolicy(load_policy_of_run(resolve(Path(folder)), trust))
