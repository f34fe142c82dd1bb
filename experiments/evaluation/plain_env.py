"""The plain Gymnasium environment that a saved policy plays in."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gymnasium

from envs import is_other_model, make_plain, model_digest
from experiments.errors import ResultsWarning, UserError
from experiments.run_config.env_refusal import env_refusal
from experiments.run_config.own_code import told_of
from experiments.run_config.targets import packages_of
from experiments.run_folder.policy import SavedPolicy


@contextmanager
def open_env(saved: SavedPolicy) -> Iterator[gymnasium.Env]:
    """Makes the environment of a policy, which is closed at the end of the block.

    Args:
        saved: The policy.

    Raises:
        UserError: As `make_env`; or if an error in the code of environment or agent ends the block.
    """
    env = make_env(saved)
    try:
        yield env
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the policy cannot play: {told_of(error, _own_packages(saved))}") from error
    finally:
        env.close()


def make_env(saved: SavedPolicy, **keywords: Any) -> gymnasium.Env:
    """Makes the environment of a policy.

    Args:
        saved: The policy.
        **keywords: Keywords of `gymnasium.make` besides its own or in their place, such as `render_mode="human"`.

    Raises:
        UserError: If the environment cannot be made or played, or the policy was made for another one.
    """
    given = saved.env | keywords
    try:
        env = make_plain(**given)
    except (ValueError, TypeError) as error:
        raise env_refusal(error, given) from error
    except Exception as error:
        raise UserError(f"env: cannot be made: {told_of(error, _own_packages(saved))}") from error
    expected = {"observation": (saved.policy.agent.obs_length,), "action": saved.policy.action_low.shape}
    for name, space in (("observation", env.observation_space), ("action", env.action_space)):
        if space.shape != expected[name]:
            env.close()
            raise UserError(
                f"env: expected an {name} of shape {expected[name]} for this policy; {given['id']} has {space}"
            )
    return env


def with_env(saved: SavedPolicy, keywords: Mapping[str, Any]) -> SavedPolicy:
    """Returns a policy that plays in another environment than that of its training.

    Args:
        saved: The policy.
        keywords: Keywords of `gymnasium.make` in the place of those of training; none for the same environment. With
            another `id` those of training are left out.
    """
    if not keywords:
        return saved
    is_other = keywords.get("id", saved.env["id"]) != saved.env["id"]
    is_other_model = is_other or "xml_file" in keywords
    env = dict(keywords) if is_other else saved.env | keywords
    return replace(saved, env=env, model_digest=None if is_other_model else saved.model_digest)


def _own_packages(saved: SavedPolicy) -> list[str]:
    return [type(saved.policy.agent).__module__.partition(".")[0], *packages_of({"env": saved.env})]


def warn_of_other_model(saved: SavedPolicy, env: gymnasium.Env) -> None:
    """Compares the model of an environment with the one that the policy was trained with.

    Warns:
        ResultsWarning: If it is another one.
    """
    if is_other_model(saved.model_digest, model_digest(env)):
        warnings.warn(
            f"the policy was trained with another model than '{saved.env.get('xml_file')}' is now",
            ResultsWarning,
            stacklevel=2,
        )
