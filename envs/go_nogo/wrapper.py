"""GO and NOGO as a wrapper of a plain environment, and the ids of the nine MuJoCo tasks with it."""

from collections.abc import Iterable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from gymnasium.spaces import Box
from gymnasium.utils import RecordConstructorArgs

from envs.go_nogo.schedule import draw_schedule, is_go
from native.arguments import check_in_range, check_whole


class GoNoGo(gymnasium.Wrapper, RecordConstructorArgs):
    """Appends the signals GO and NOGO to the observation, and pays movement on GO and stillness on NOGO.

    The observation ends in two more numbers: 1, 0 on GO and 0, 1 on NOGO. The signals take turns in intervals of random
    length, see `envs.go_nogo.schedule`; which one comes first is random too. They are drawn at each reset, after the
    first state, from the environment's own generator: an episode and its signals are a function of its seed.

    With the task's reward r, its part f for moving forward, and the movement m, a step pays

        r + (m − f)                     on GO
        r + ((still_reward − |m|) − f)  on NOGO

    by the signal that the action was chosen under. Both f and m are `info["reward_forward"]` (the forward speed times
    its weight), so that GO pays the task's own reward. Where a MuJoCo task pays no speed, f is 0, and m is that of the
    first joint coordinate in units of its own a second (metres, of a cart). What the task pays for health, control and
    contacts stays.

    `info` of a step says under `go` which signal it was, as 1.0 or 0.0, and under `reward_signal` the amount that
    replaced f.

    Args:
        env: An environment whose observations are one-dimensional boxes, and that draws from its `np_random`.
        shortest: Fewest steps of an interval.
        longest: Most steps of an interval.
        still_reward: What a step without any movement is paid on NOGO.

    Raises:
        ValueError: If an argument is out of range, or the environment is of another kind. `step` raises it where the
            environment neither shows `reward_forward` nor is one of MuJoCo.
    """

    def __init__(self, env: gymnasium.Env, shortest: int = 100, longest: int = 300, still_reward: float = 0.3):
        RecordConstructorArgs.__init__(self, shortest=shortest, longest=longest, still_reward=still_reward)
        gymnasium.Wrapper.__init__(self, env)
        self.shortest = check_whole("shortest", shortest)
        self.longest = check_whole("longest", longest, minimum=self.shortest)
        self.still_reward = check_in_range("still_reward", still_reward)
        space = env.observation_space
        if not isinstance(space, Box) or len(space.shape) != 1 or space.dtype.kind != "f":
            raise ValueError(f"env: expected an observation space that is a one-dimensional Box of floats, got {space}")
        low, high = (np.append(bound, (end, end)) for bound, end in ((space.low, 0), (space.high, 1)))
        self.observation_space = Box(low.astype(space.dtype), high.astype(space.dtype), dtype=space.dtype)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begins an episode, and draws its signals."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._schedule = draw_schedule(self.unwrapped.np_random, self.shortest, self.longest)
        self._step = 0
        self._position = self._root()
        return self._with_signals(observation), info

    def step(self, action):
        """Takes a step, and pays it by the signal."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        go = is_go(self._step, *self._schedule)
        self._step += 1
        forward, movement = self._movement(info)
        pay = movement if go else self.still_reward - abs(movement)
        info = {**info, "go": float(go), "reward_signal": pay}
        return self._with_signals(observation), reward + (pay - forward), terminated, truncated, info

    def _with_signals(self, observation: np.ndarray) -> np.ndarray:
        go = is_go(self._step, *self._schedule)
        return np.append(observation, (go, not go)).astype(self.observation_space.dtype)

    def _movement(self, info: dict[str, Any]) -> tuple[float, float]:
        """Returns what the task has paid for moving forward, and the movement."""
        if "reward_forward" in info:
            return info["reward_forward"], info["reward_forward"]
        before, self._position = self._position, self._root()
        if before is None:
            raise ValueError(
                f"env: expected info['reward_forward'] from a step of {self.env}, or an environment of MuJoCo; got info"
                f" with {', '.join(info) or 'nothing'}"
            )
        return 0.0, (self._position - before) / self.unwrapped.dt

    def _root(self) -> float | None:
        """Returns the first joint coordinate of a MuJoCo environment, None of another."""
        data = getattr(self.unwrapped, "data", None)
        return None if data is None or not hasattr(self.unwrapped, "dt") else data.qpos[0]


def make_go_nogo(
    task: str, shortest: int = 100, longest: int = 300, still_reward: float = 0.3, **kwargs: Any
) -> GoNoGo:
    """Makes the environment of a Gymnasium id, without its limit of steps, in a `GoNoGo`.

    Args:
        task: An id that is registered.
        shortest: As for `GoNoGo`.
        longest: As for `GoNoGo`.
        still_reward: As for `GoNoGo`.
        **kwargs: Keywords of the task.

    Raises:
        ValueError: If the id is not registered. One with a module is not: nothing is imported for it.
    """
    if task not in gymnasium.registry:
        raise ValueError(f"task: expected the id of a registered environment, got {task!r}")
    creator = load_env_creator(gymnasium.spec(task).entry_point)
    return GoNoGo(creator(**kwargs), shortest, longest, still_reward)


def register_go_nogo(tasks: Iterable[str]) -> None:
    """Registers each of some ids with signals: of "Hopper-v5" as "HopperGoNoGo-v5", with the same limit of steps."""
    for task in tasks:
        name, version = task.rsplit("-", 1)
        gymnasium.register(
            id=f"{name}GoNoGo-{version}",
            entry_point="envs.go_nogo:make_go_nogo",
            max_episode_steps=gymnasium.spec(task).max_episode_steps,
            kwargs={"task": task},
        )
