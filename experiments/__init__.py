"""Runs: configuration, training, evaluation and their command line, `ec-evotorch`.

The only package that knows `envs`, `agents` and `ec_evotorch` together; its YAMLs in `conf/` join them by name.
`load_policy` reads what a run has trained, for a plain Python loop.
"""

import importlib

__version__ = "0.1.0"
__all__ = ["load_policy"]

_MODULES = {"load_policy": "experiments.loading"}  # imported when asked for: importing torch takes seconds


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)
