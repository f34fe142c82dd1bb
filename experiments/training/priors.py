"""Connection probabilities with which a search begins, where a configuration gives a rule or a file for them.

`searcher.prob_init` takes, for the whole network or in the place of a kernel,

    {rule: distance, p: 0.5, length: 0.2, dimensions: 2, seed: 0}   of kernel_h; `positions: FILE.csv` has n rows
    {rule: blocks, E_E: 0.1, E_I: 0.2, …}                           see `agents.rsnn.anatomy.block_rule`
    FILE.csv                                                        a table of blocks, or the matrix of a kernel
    FILE.npz                                                        arrays by the names of the kernels

The matrix has a row for each presynaptic end. The table has the columns presynaptic, postsynaptic and probability, with
in, E, I and out for the kinds.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from agents.rsnn.anatomy import block_rule, distance_rule, draw_positions
from experiments.array_files import FILES, read_arrays, read_matrix, reason
from experiments.errors import UserError

RULES = ("distance", "blocks")
OF_DISTANCE = ("rule", "p", "length", "dimensions", "seed", "positions")
COLUMNS = ("presynaptic", "postsynaptic", "probability")


def is_prior(value: object) -> bool:
    """Returns whether a value is a rule, or the name of a file, and no number and no run."""
    return (isinstance(value, Mapping) and "rule" in value) or is_file(value)


def is_file(value: object) -> bool:
    """Returns whether a value names a file of probabilities, and no run."""
    return isinstance(value, str) and value.endswith(FILES) and not Path(value).is_dir()


def files_of(value: object) -> list[str]:
    """Returns the names of the files that a prior needs."""
    named = value.get("positions") if isinstance(value, Mapping) else value
    return [named] if isinstance(named, str) else []


def probabilities(key: str, value: object, agent, kernel: str | None = None) -> dict[str, np.ndarray]:
    """Returns the probabilities that a rule or a file gives.

    Args:
        key: Dotted key of the value, for messages.
        value: What `is_prior` recognises.
        agent: The agent of the search.
        kernel: The kernel in whose place it stands; None for all kernels.

    Returns:
        Name -> float32 array in the shape of the kernel, of one kernel or all, with numbers in [0, 1].

    Raises:
        UserError: If a file cannot be read, or the rule or its numbers do not fit the network.
    """
    shapes = {name: tuple(shape) for name, shape in agent.parameter_shapes.items() if kernel in (None, name)}
    if isinstance(value, Mapping):
        found = _of_rule(key, value, agent, shapes)
    elif value.endswith(".npz"):
        found = read_arrays(key, value, shapes)
    elif kernel is None:
        found = _blocks(key, _read_table(key, value), agent, shapes)
    else:
        found = {kernel: read_matrix(key, value)}
    for name, shape in shapes.items():
        array = found[name]
        if array.shape != shape:
            raise UserError(f"{key}: expected {_size(shape)} probabilities for {name}; got {_size(array.shape)}")
        if array.dtype.kind not in "biuf" or not ((array >= 0) & (array <= 1)).all():
            raise UserError(f"{key}: expected probabilities from 0 to 1 for {name}; got others")
    return {name: found[name].astype(np.float32) for name in shapes}


def _of_rule(key: str, rule: Mapping, agent, shapes: Mapping) -> dict[str, np.ndarray]:
    name, arguments = rule["rule"], {word: given for word, given in rule.items() if word != "rule"}
    if name not in RULES:
        raise UserError(f"{key}.rule: expected one of {', '.join(RULES)}; got {name!r}")
    if name == "blocks":
        return _blocks(key, arguments, agent, shapes)
    if list(shapes) != ["kernel_h"]:
        raise UserError(f"{key}: expected rule=distance in the place of kernel_h, whose two ends have a position")
    if unknown := [str(word) for word in arguments if word not in OF_DISTANCE]:
        raise UserError(f"{key}: expected the keys {', '.join(OF_DISTANCE)}; got {', '.join(unknown)}")
    if missing := [word for word in ("p", "length") if word not in arguments]:
        raise UserError(f"{key}: expected the keys rule, p and length; {' and '.join(missing)} is missing")
    if "positions" in arguments and {"dimensions", "seed"} & set(arguments):
        raise UserError(f"{key}: expected either positions, or dimensions and seed from which they are drawn")
    p, n = arguments["p"], shapes["kernel_h"][0]
    if isinstance(p, Mapping):
        p = _blocks(f"{key}.p", p, agent, shapes)["kernel_h"]
    try:
        if "positions" in arguments:
            positions = read_matrix(f"{key}.positions", arguments["positions"])
        else:
            positions = draw_positions(n, arguments.get("dimensions", 2), arguments.get("seed", 0))
        return {"kernel_h": distance_rule(positions, p, arguments["length"])}
    except ValueError as error:
        raise UserError(f"{key}.{error}") from error


def _blocks(key: str, table: Mapping, agent, shapes: Mapping) -> dict[str, np.ndarray]:
    if not hasattr(agent, "num_excitatory"):
        raise UserError(f"{key}: expected agent=rsnn, whose neurons are excitatory or inhibitory")
    try:
        return block_rule(table, shapes, agent.num_excitatory)
    except ValueError as error:
        raise UserError(f"{key}: {error}") from error


def _read_table(key: str, name: str) -> dict[str, float]:
    try:
        with open(name, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            rows, columns = list(reader), reader.fieldnames or []
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"{key}: '{name}': expected a table: {reason(error)}") from error
    if not set(COLUMNS) <= set(columns):
        raise UserError(
            f"{key}: '{name}': expected the columns {', '.join(COLUMNS)}; got {', '.join(map(str, columns))}"
        )
    table = {}
    for row in rows:
        block = f"{row['presynaptic']}_{row['postsynaptic']}"
        if block in table:
            raise UserError(f"{key}: '{name}': expected one row for each block; got two of {block}")
        try:
            table[block] = float(row["probability"])
        except (TypeError, ValueError) as error:
            raise UserError(f"{key}: '{name}': {block}: expected a number; got {row['probability']!r}") from error
    return table


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
