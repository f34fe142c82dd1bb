"""The state of EvoTorch's and PyTorch's optimizers as a dictionary of strings, numbers and tensors."""

import numpy as np
import torch
from evotorch.optimizers import ClipUp, TorchOptimizer


def optimizer_state(optimizer) -> dict | None:
    """Copies the state of an optimizer.

    Args:
        optimizer: A `torch.optim.Optimizer`, one of EvoTorch's, any object with `state_dict` and `load_state_dict`, or
            None.

    Returns:
        A dictionary for `load_optimizer_state`, None for None.

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
    if hasattr(optimizer, "state_dict") and hasattr(optimizer, "load_state_dict"):
        return optimizer.state_dict()
    raise ValueError(f"optimizer: the state of a {type(optimizer).__name__} cannot be saved: it has no state_dict")


def load_optimizer_state(optimizer, state: dict | None) -> None:
    """Puts the state from `optimizer_state` into an optimizer made like the first.

    Raises:
        ValueError: If the state is not of such an optimizer.
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
