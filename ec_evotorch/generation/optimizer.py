"""EvoTorch's optimizers: made from what a user may write for one, saved and restored."""

from collections.abc import Mapping

import numpy as np
import torch
from evotorch.optimizers import ClipUp, TorchOptimizer, get_optimizer_class

from ec_evotorch.protocols import Stateful


def make_optimizer(optimizer, config: Mapping | None, *, stepsize: float, solution_length: int, device):
    """Makes the optimizer of a float32 vector.

    Args:
        optimizer: "adam", "sgd", "clipup" or another of EvoTorch's names; a class or function that takes its keywords
            (stepsize, solution_length, dtype, device); an object with `ascent(gradient)`, which has its own step size;
            or None for plain ascent.
        config: Further keywords for a name, class or function, such as {"beta1": 0.9, "beta2": 0.99}.
        stepsize: Step size.
        solution_length: L, length of the vector.
        device: Device where the vector lives.

    Returns:
        An object with `ascent(gradient)`, (L,) -> (L,); or None if None was given.

    Raises:
        ValueError: If a name is unknown, the config is not one of the optimizer's, or a config is given although
            nothing is made.
        TypeError: If `optimizer` is none of the above.
    """
    if optimizer is None or (hasattr(optimizer, "ascent") and not isinstance(optimizer, type)):
        if config is not None:
            raise ValueError(f"optimizer_config: expected None with optimizer={optimizer!r}, got {config!r}")
        return optimizer
    name = optimizer if isinstance(optimizer, str) else getattr(optimizer, "__name__", optimizer)
    if isinstance(optimizer, str):
        try:
            optimizer = get_optimizer_class(optimizer)
        except ValueError:
            raise ValueError(
                f'optimizer: expected "adam", "sgd", "clipup" or another of EvoTorch\'s names, got {optimizer!r}'
            ) from None
    if not callable(optimizer):
        raise TypeError(f"optimizer: expected a name, a class, an object with ascent() or None, got {optimizer!r}")
    settings = {"stepsize": float(stepsize), "solution_length": solution_length, "dtype": torch.float32}
    if config is None:
        return optimizer(**settings, device=device)
    if not isinstance(config, Mapping):
        raise ValueError(f"optimizer_config: expected keywords of {name!r} and their values, got {config!r}")
    try:
        return optimizer(**settings, device=device, **config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"optimizer_config: expected keywords of {name!r}, got {dict(config)!r}: {error}") from error


def optimizer_state(optimizer) -> dict | None:
    """Copies the state of an optimizer.

    Args:
        optimizer: A `torch.optim.Optimizer`, one of EvoTorch's, any object with `state_dict` and `load_state_dict`, or
            None.

    Returns:
        A dictionary for `load_optimizer_state`; None for None.

    Raises:
        ValueError: If the optimizer is none of these.
    """
    if optimizer is None:
        return None
    if isinstance(optimizer, ClipUp):
        return {"velocity": optimizer._velocity.clone()}
    if isinstance(optimizer, TorchOptimizer):
        return optimizer_state(optimizer.contained_optimizer)
    if isinstance(optimizer, torch.optim.Optimizer):
        states = optimizer.state_dict()["state"]
        return {str(index): {name: _copy(value) for name, value in state.items()} for index, state in states.items()}
    if isinstance(optimizer, Stateful):
        return optimizer.state_dict()
    raise ValueError(f"optimizer: the state of a {type(optimizer).__name__} cannot be saved: it has no state_dict")


def load_optimizer_state(optimizer, state: dict | None) -> None:
    """Puts a state from `optimizer_state` into an optimizer that was made like the first.

    Raises:
        ValueError: If the state is not one of such an optimizer.
    """
    if optimizer is None:
        return
    if isinstance(optimizer, ClipUp):
        optimizer._velocity = torch.as_tensor(state["velocity"], device=optimizer._velocity.device).clone()
    elif isinstance(optimizer, TorchOptimizer):
        load_optimizer_state(optimizer.contained_optimizer, state)
    elif isinstance(optimizer, torch.optim.Optimizer):
        states = {int(index): {name: _copy(v) for name, v in values.items()} for index, values in state.items()}
        optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    else:
        optimizer.load_state_dict(state)


def _copy(value):
    return torch.as_tensor(value).clone() if isinstance(value, torch.Tensor | np.ndarray) else value
