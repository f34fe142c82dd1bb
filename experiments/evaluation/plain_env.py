"""The plain Gymnasium environment that a saved policy plays in."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import gymnasium

from ec_evotorch.rollout.spaces import is_vector, takes_numbers
from envs import is_other_model, make_plain, model_digest
from experiments.errors import ResultsWarning, UserError
from experiments.run_config.env_refusal import env_refusal
from experiments.run_config.own_code import told_of
from experiments.run_config.targets import packages_of
from experiments.run_config.wrappers import keywords_of_plain
from experiments.run_folder.policy import SavedPolicy
from experiments.run_folder.spaces import describe_space


@contextmanager
def open_env(saved: SavedPolicy) -> Iterator[gymnasium.Env]:
    """Makes the environment of a policy, which is closed at the end of the block.

    Args:
        saved: The policy.

    Raises:
        UserError: As `make_env` and `errors_in_a_line`.
    """
    with closing(make_env(saved)) as env, errors_in_a_line(saved):
        yield env


@contextmanager
def errors_in_a_line(saved: SavedPolicy) -> Iterator[None]:
    """Tells in a line of what goes wrong in the code of environment or agent while a policy plays in the block.

    Raises:
        UserError: If so.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the policy cannot play: {told_of(error, _own_packages(saved))}") from error


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
        env = make_plain(**keywords_of_plain(given))
    except (ValueError, TypeError) as error:
        raise env_refusal(error, given, in_training=False) from error
    except Exception as error:
        raise UserError(f"env: cannot be made: {told_of(error, _own_packages(saved))}") from error
    try:
        check_spaces(saved, env, given["id"])
    except UserError:
        env.close()
        raise
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
    env = dict(keywords) if is_other else saved.env | keywords
    keeps_model = not is_other and "xml_file" not in keywords
    return replace(saved, env=env, model_digest=saved.model_digest if keeps_model else None)


def check_spaces(saved: SavedPolicy, env: gymnasium.Env, env_id: str) -> None:
    """Checks that a policy sees what an environment of this id shows, and gives what it takes.

    Raises:
        UserError: If not, naming the space of the environment.
    """
    policy = saved.policy
    for what, trained, space, length, is_numbers in (
        ("observation", policy.observation_space, env.observation_space, policy.agent.obs_length, is_vector),
        ("action", policy.action_space, env.action_space, policy.action_low.size, takes_numbers),
    ):
        if trained is None:
            fits, expected = is_numbers(space) and space.shape == (length,), f"of shape ({length},)"
        else:
            fits, expected = _describe(space, what) == _describe(trained, what), f"of {trained}"
        if not fits:
            raise UserError(f"env: expected an {what} {expected} for this policy; {env_id} has {space}")


def _describe(space: gymnasium.Space, what: str) -> dict | None:
    try:
        return describe_space(space, is_action=what == "action")
    except ValueError:  # of a kind that no policy has
        return None


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
