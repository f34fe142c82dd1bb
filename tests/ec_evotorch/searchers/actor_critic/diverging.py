"""An environment whose physics fail now and then."""

import gymnasium
import numpy as np


class Diverging(gymnasium.vector.VectorWrapper):
    """Physics that return NaN in sub-environment 0 at the third step of every episode.

    Args:
        env: A vector environment.
        what: What is NaN, "observation" or "reward".
    """

    def __init__(self, env, what):
        super().__init__(env)
        self._what, self._age = what, np.zeros(env.num_envs, dtype=int)

    def reset(self, *, seed=None, options=None):
        self._age[options["reset_mask"]] = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, actions):
        observations, rewards, *rest = self.env.step(actions)
        self._age += 1
        if self._age[0] == 3:
            (observations if self._what == "observation" else rewards)[0] = np.nan
        return observations, rewards, *rest
