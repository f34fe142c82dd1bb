"""Whatever is wrong with a number in a configuration, one line names its dotted key, and nothing is written."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from experiments.cli import main
from experiments.errors import UserError
from experiments.run_config.compose import CONFIG_DIR, FACTORS, compose_config
from experiments.run_config.keys import leaves
from experiments.run_config.keywords import check_names, check_types, refusal
from experiments.run_config.targets import EVERYTHING
from experiments.training.run import Run, train

WRONG = {"text": "abc", "null": None, "list": [1, 2], "NaN": float("nan")}
ALLOWED = [
    ("searcher.optimizer_config.max_speed", "null"),  # ClipUp without a limit
    ("searcher.decrease_rewards_by", "null"),  # nothing
    ("problem.decrease_rewards_by", "null"),  # likewise
]
PAIRS = [  # every searcher, every agent
    *(("rsnn", searcher) for searcher in ("cem", "ec", "ec_critic", "ec_staged", "es", "pgpe", "ppo", "snes")),
    *((agent, "es") for agent in ("evotorch_net", "gru", "lstm", "rnn", "rsnn_sign")),
]


def words(agent: str, searcher: str) -> list[str]:
    return ["env=inverted_pendulum", f"agent={agent}", f"searcher={searcher}", "problem.num_threads=1", "run_dir=run"]


@cache
def composed(agent: str, searcher: str) -> DictConfig:
    return compose_config(words(agent, searcher))


def numeric_keys(agent: str, searcher: str) -> Iterator[str]:
    config = OmegaConf.to_container(composed(agent, searcher))
    for component in ("agent", "searcher", "problem"):
        for key, value in leaves(config[component], component):
            if isinstance(value, int | float) and not isinstance(value, bool) and key not in FACTORS:
                yield key


def cases() -> Iterator[tuple[str, str, str, str]]:
    """Yields agent, searcher, key and what is wrong, for each key of a component's YAML once, and for one kernel."""
    seen = set()
    for agent, searcher in PAIRS:
        for key in numeric_keys(agent, searcher):
            what = key.partition(".kernel_")[0]
            origin = (what, {"agent": agent, "searcher": searcher}.get(key.partition(".")[0]))
            if origin not in seen:
                seen.add(origin)
                yield from ((agent, searcher, key, kind) for kind in WRONG if (key, kind) not in ALLOWED)


def test_every_agent_and_searcher_is_among_the_cases():
    for group, chosen in zip(("agent", "searcher"), zip(*PAIRS, strict=True), strict=True):
        assert set(chosen) == {path.stem for path in Path(CONFIG_DIR, group).glob("*.yaml")}


@pytest.fixture
def _nothing_is_trained(monkeypatch):
    monkeypatch.setattr(Run, "go_on", lambda run: pytest.fail("it was accepted"))


@pytest.mark.usefixtures("_nothing_is_trained")
@pytest.mark.parametrize(("agent", "searcher", "key", "kind"), list(cases()))
def test_a_number_that_is_none_is_refused_by_its_key(agent, searcher, key, kind):
    config = composed(agent, searcher).copy()
    OmegaConf.update(config, key, WRONG[kind])
    with pytest.raises(UserError) as error:
        train(config, EVERYTHING)
    assert key in str(error.value)
    assert "\n" not in str(error.value)
    assert not Path("run").exists()


@pytest.mark.usefixtures("_nothing_is_trained")
@pytest.mark.parametrize("word", ["abc", "null", "[1,2]", "nan"])
@pytest.mark.parametrize("key", ["agent.num_neurons", "searcher.stdev", "problem.num_episodes", *FACTORS])
def test_the_command_line_says_so_in_one_line(key, word, capsys):
    assert main(["train", *words("gru", "es"), f"{key}={word}"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ec-evotorch: error: ")
    assert error.count("\n") == 1
    assert key in error
    assert not Path("run").exists()


def component(
    size: int,
    rate: float = 0.5,
    *,
    name: str | None = None,
    flag: bool = False,
    sizes: Sequence[int] = (),
    start: float | torch.Tensor = 0.0,
    options: Mapping | None = None,
    scale=1.0,
    anything=None,
):
    """Stands for a constructor of the user's own."""


@pytest.mark.parametrize(
    "given",
    [
        {"size": 3, "rate": 1, "name": "a", "flag": True, "sizes": [1, 2], "start": [0.5], "options": {"a": 1}},
        {"size": 3, "name": None, "options": None, "scale": 2, "anything": "text"},
        {"size": 3, "scale": [1, 2], "anything": {"_target_": "os.getcwd"}, "start": {"_target_": "os.getcwd"}},
        {"size": 3, "rate": float("inf"), "_partial_": True},
    ],
)
def test_keywords_that_fit_the_annotations_are_taken(given):
    check_names("agent", {"_target_": f"{__name__}.component", **given})
    check_types("agent", {"_target_": f"{__name__}.component", **given})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"size": 3.0}, "agent.size: expected a whole number; got 3.0"),
        ({"size": True}, "agent.size: expected a whole number; got true"),
        ({"size": None}, "agent.size: expected a whole number; got null"),
        ({"size": 1, "rate": "abc"}, "agent.rate: expected a number; got 'abc'"),
        ({"size": 1, "rate": float("nan")}, "agent.rate: expected a number; got nan"),
        ({"size": 1, "name": 3}, "agent.name: expected text or null; got 3"),
        ({"size": 1, "flag": "false"}, "agent.flag: expected true or false; got 'false'"),
        ({"size": 1, "sizes": 3}, "agent.sizes: expected a list; got 3"),
        ({"size": 1, "start": "zero"}, "agent.start: expected a number or a list; got 'zero'"),
        ({"size": 1, "scale": "large"}, "agent.scale: expected a whole number or a number"),
        ({"size": 1, "options": {"a": {"b": float("nan")}}}, "agent.options.a.b: expected a number; got nan"),
        ({"size": 1, "anything": [1.0, float("nan")]}, "agent.anything: expected a number; got nan"),
    ],
)
def test_keywords_that_do_not_are_named(given, message):
    with pytest.raises(UserError) as error:
        check_types("agent", {"_target_": f"{__name__}.component", **given})
    assert message in str(error.value)


def test_a_keyword_that_is_not_taken_is_named_with_those_that_are():
    with pytest.raises(
        UserError, match=r"unknown key 'agent\.rte' \(did you mean 'agent\.rate'\?\); keywords of .*size"
    ):
        check_names("agent", {"_target_": f"{__name__}.component", "size": 1, "rte": 3})
    check_names("env", {"_target_": "envs.make_vec", "id": "A-v0", "anything": 3})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("size: expected more", "agent.size: expected more"),
        ("expected more rows than size says", "agent.size: expected more rows than size says"),
        ("options depth: expected 3", "agent.options.depth: expected 3"),
        ("popsize is odd", "searcher.popsize is odd"),
        ("no\nidea", "agent: no idea; given were agent.options.depth=5"),
        ("'<' not supported between float and str", "agent.rate: expected a number; got 'abc'"),
    ],
)
def test_what_a_constructor_says_gets_the_dotted_keys(said, message):
    target = f"{__name__}.component"
    wrong = {"rate": "abc"} if "float" in said else {}
    components = {
        "agent": {"_target_": target, "size": 3, "options": {"depth": 5}, **wrong},
        "searcher": {"_target_": target, "popsize": 4},
    }
    assert str(refusal(said, components)) == message


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("module: expected a module, got 3", "agent.module: expected a module, got 3"),
        ("module size: expected 3", "agent.module.size: expected 3"),
    ],
)
def test_what_is_said_of_nested_keywords_is_told_by_a_dotted_key(said, told):
    given = {"_target_": "agents.ModuleAgent", "module": {"size": 3}}
    assert str(refusal(said, {"agent": given})) == told
