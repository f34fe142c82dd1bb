"""Any other Gymnasium environment, with the contract of `envs.make_vec`.

`sync_env` plays all sub-environments in this process, one after another; `async_env` in several processes, each of
which runs `worker`.
"""

from envs.fallback.async_env import AsyncFallbackVectorEnv, EnvProcessError
from envs.fallback.sync_env import FallbackVectorEnv

__all__ = ["AsyncFallbackVectorEnv", "EnvProcessError", "FallbackVectorEnv"]
