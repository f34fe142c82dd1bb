"""The environment of a run beyond its keywords: the model that it simulates, and the limit of its episodes."""

from omegaconf import DictConfig, open_dict

from ec_evotorch.rollout.vector_calls import spec_of
from envs import is_other_model, make_plain, model_digest
from experiments.errors import UserError
from experiments.run_config.env_refusal import env_refusal
from experiments.run_config.foreign import KNOWN
from experiments.run_config.keys import MODEL_DIGEST
from experiments.run_config.keywords import keywords
from experiments.run_config.wrappers import WRAPPERS, keywords_of_plain

TIME_LIMIT = "gymnasium.wrappers.TimeLimit"


def record_model(config: DictConfig, env) -> None:
    """Writes into a configuration which model of the user's own its environment simulates, if it does.

    Args:
        config: A whole configuration.
        env: The vector environment that was made from it.
    """
    digest = getattr(env, MODEL_DIGEST, None)
    if digest is not None and MODEL_DIGEST not in config.env:
        with open_dict(config):
            config.env[MODEL_DIGEST] = digest


def check_model(config: DictConfig, env) -> None:
    """Checks that the environment simulates the model that is recorded in the configuration of its run.

    Args:
        config: The configuration of a run.
        env: The vector environment that was made from it now.

    Raises:
        UserError: If it simulates another one.
    """
    before, now = config.env.get(MODEL_DIGEST), getattr(env, MODEL_DIGEST, None)
    if is_other_model(before, now):
        raise UserError(
            f"env.xml_file: expected the model that the run was trained with ({before}); '{config.env.xml_file}' is "
            f"another one now ({now}): put it back, or train with it in another run_dir="
        )


def model_of(config: DictConfig) -> str | None:
    """Returns the digest of the model of the user's own that a configuration asks for now; None if there is none.

    Raises:
        UserError: If the environment cannot be made.
    """
    given = keywords("env", config.env)
    if given.get("_target_") not in KNOWN["env"] or "xml_file" not in given:
        return None
    try:
        env = make_plain(**keywords_of_plain(given))
    except (ValueError, TypeError) as error:
        raise env_refusal(error, given) from error
    try:
        return model_digest(env)
    finally:
        env.close()


def with_limit(config: DictConfig, env) -> DictConfig:
    """Returns the environment's part of a configuration with the limit of steps that the problem has put on it.

    Args:
        config: A whole configuration.
        env: The vector environment that was made from it.
    """
    limit, spec = config.problem.get("max_episode_steps"), spec_of(env)
    own = None if spec is None else spec.max_episode_steps
    if limit is None or (own is not None and own <= limit):
        return config.env
    limited = config.env.copy()
    with open_dict(limited):
        if limited.get(WRAPPERS):  # the problem counts the steps that the outermost of them takes
            limited[WRAPPERS] = [*limited[WRAPPERS], {"_target_": TIME_LIMIT, "max_episode_steps": limit}]
        else:
            limited.max_episode_steps = limit
    return limited
