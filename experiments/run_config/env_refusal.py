"""What an environment said of itself or of its keywords, as a message that names their dotted keys."""

from collections.abc import Mapping

from experiments.errors import UserError


def env_refusal(error: object, given: Mapping, *, in_training: bool = True) -> UserError:
    """Returns what an environment said of itself or its keywords, with their dotted keys.

    Args:
        error: What it raised, or its text.
        given: Its keywords.
        in_training: Whether a configuration named them, which may have more of them than the user.
    """
    text = " ".join(str(error).split())
    leading, colon, rest = text.partition(": ")
    if colon and all(key in given for key in leading.split(", ")):
        if in_training and "unexpected keyword" in rest and "vectorization_mode" not in given:  # not of env=gymnasium
            rest += f"; with env=gymnasium env.id={given['id']} it gets no keywords but those that you add"
        return UserError(f"{', '.join(f'env.{key}' for key in leading.split(', '))}: {rest}")
    return UserError(f"env: {text}")
