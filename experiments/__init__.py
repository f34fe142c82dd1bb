"""Runs: configuration, training, evaluation and their command line, `ec-evotorch`.

The only package that knows `envs`, `agents` and `ec_evotorch` together; its YAMLs in `conf/` join them by name.
"""

__version__ = "0.1.0"
