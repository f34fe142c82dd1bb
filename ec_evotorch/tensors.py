"""Checks of tensors that this package is given, before a kernel reads their memory."""

import torch


def check_tensor(name: str, value: object, expected: str, *, error: type[Exception] = ValueError) -> None:
    """Checks that something is a tensor of real numbers or truth values.

    Args:
        name: Name of the argument, for the message.
        value: What was given.
        expected: What was expected, for the message.
        error: The exception that is raised.

    Raises:
        Exception: Of the type `error`, if it is something else.
    """
    if not isinstance(value, torch.Tensor):
        raise error(f"{name}: expected {expected}, got {'None' if value is None else f'a {type(value).__name__}'}")
    if value.is_complex():
        raise error(f"{name}: expected {expected}, got {value.dtype} of shape {tuple(value.shape)}")
