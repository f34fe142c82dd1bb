"""Every YAML composes into components that can be built; unknown words are refused with a suggestion."""

import inspect
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gymnasium
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import get_object, instantiate
from omegaconf import OmegaConf

from experiments.errors import UserError
from experiments.run_config.build import build
from experiments.run_config.compose import CONFIG_DIR, compose_config, compose_sweep
from experiments.run_config.keywords import keywords
from experiments.run_config.settings import RunSettings


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in Path(CONFIG_DIR, group).glob("*.yaml"))


@pytest.mark.parametrize("group", ["env", "agent", "searcher"])
def test_a_choice_is_named_after_its_file(group):
    named = {choice: compose_config([f"{group}={choice}"])[group].name for choice in choices(group)}
    assert {choice: name for choice, name in named.items() if name != choice} == (
        {"gymnasium": "CartPole-v1"} if group == "env" else {}
    )


@pytest.mark.parametrize("choice", choices("env"))
def test_every_env_yaml_makes_its_environment(choice):
    config = compose_config([f"env={choice}"])
    env = instantiate(keywords("env", config.env))(num_envs=1, num_threads=1)
    assert env.num_envs == 1


@pytest.mark.parametrize("group", ["agent", "searcher"])
def test_every_key_of_a_yaml_is_a_keyword_of_its_constructor(group):
    for choice in choices(group):
        given = keywords(group, compose_config([f"{group}={choice}"])[group])
        assert set(given) - {"_target_", "_partial_"} <= parameters_of(get_object(given["_target_"]))


def parameters_of(component) -> set[str]:
    """Returns the keywords of a constructor; one that takes any others hands them on to that of its base class."""
    parameters = inspect.signature(component).parameters.values()
    names = {parameter.name for parameter in parameters}
    if inspect.isclass(component) and any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        names |= parameters_of(component.__base__)
    return names


def test_every_key_of_the_problem_is_a_keyword_of_its_constructor():
    given = keywords("problem", compose_config([]).problem)
    assert set(given) - {"_target_"} <= set(inspect.signature(get_object(given["_target_"])).parameters)


@pytest.mark.parametrize("choice", choices("env"))
def test_the_listed_alive_bonus_is_the_one_gymnasium_pays(choice):
    env = compose_config([f"env={choice}"]).env
    if env.get("alive_bonus") is not None:
        gym_env = gymnasium.make(env.id)
        gym_env.reset(seed=0)
        assert gym_env.step(gym_env.action_space.sample())[4]["reward_survive"] == env.alive_bonus


def test_training_takes_off_the_bonus_that_the_environment_pays():
    config = compose_config(["env=hopper", "env.healthy_reward=2"])
    assert config.problem.decrease_rewards_by == 2


def test_an_entry_of_a_list_is_named_by_its_place():
    assert compose_config(["searcher=ec_critic", "searcher.critic_sizes.0=3"]).searcher.critic_sizes == [3, 64]


def test_a_keyword_that_is_not_listed_reaches_the_environment():
    problem, _ = build(compose_config(["env=hopper", "+env.exclude_current_positions_from_observation=false"]))
    assert problem.env.single_observation_space.shape == (12,)


def test_the_run_folder_is_named_after_the_choices_and_the_seed():
    assert compose_config(["env=ant", "seed=3"]).run_dir == "runs/ant-rsnn-ec-seed3"


@pytest.mark.parametrize(("word", "budget"), [("1e6", 1_000_000), ("250000", 250_000), ("2_000", 2_000)])
def test_budget_takes_whole_numbers_in_any_notation(word, budget):
    assert RunSettings.from_config(compose_config([f"budget={word}"])).budget == budget


def test_words_for_hydra_itself_do_not_change_the_run():
    assert compose_config(["hydra/launcher=basic", "hydra.verbose=false"]) == compose_config([])


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["env=ant", "method=es_rsnn", "scale=paper"],
        ["method=sg_rsnn", "searcher.batch_size=64", "+agent.tau_mem=20", "++env.alive_bonus=2", "~overwrite"],
        ["seed=3", "env=gymnasium", "env.id=CartPole-v1", "seed=4", "run_dir=${runs}/${seed}"],
        ["+searcher={b: [1, {c: 2}]}"],
        ["agent=gru", "agent.num_neuron=3"],
        ["agent=gru", "+agent.num_neurons=3"],
        ["~agent.nope", "agent.num_neurons=3"],
        ["searcher.popsize.a=1"],
        ["scale/searcher=paper-es", "searcher=es"],
        ["+logger=tensorboard"],
        ["env@agent=hopper"],
        ["nope@env=hopper"],
        ["env=hopper", "env=ant"],
    ],
)
def test_files_that_were_merged_before_make_the_configuration_that_hydra_makes_of_them(words):
    def told(*more: str) -> str:
        try:
            return OmegaConf.to_yaml(compose_config([*words, *more]))
        except UserError as error:
            return str(error)

    assert told() == told() == told("hydra.verbose=false")  # with a word for Hydra itself, nothing is kept


def test_what_is_done_to_a_configuration_is_not_seen_in_the_next():
    compose_config([]).agent.num_neurons = 3
    assert compose_config([]).agent.num_neurons != 3


def test_a_file_that_was_changed_is_read_again(tmp_path, monkeypatch):
    shutil.copytree(CONFIG_DIR, tmp_path / "conf")
    monkeypatch.setattr("experiments.run_config.compose.CONFIG_DIR", str(tmp_path / "conf"))
    before = compose_config([]).agent.num_neurons
    path = tmp_path / "conf" / "agent" / "rsnn.yaml"
    path.write_text(path.read_text().replace(f"num_neurons: {before}", "num_neurons: 12345"))
    assert compose_config([]).agent.num_neurons == 12345
    path.unlink()
    with pytest.raises(UserError, match=r"agent: expected one of .*; got 'rsnn'"):
        compose_config([])


def test_composing_neither_needs_nor_touches_the_global_state_of_hydra(tmp_path):
    (tmp_path / "mine.yaml").write_text("a: 1\n")
    alone = compose_config(["seed=3"])
    with initialize_config_dir(str(tmp_path), version_base=None):
        assert compose_config(["seed=3"]) == alone
        assert compose("mine") == {"a": 1}
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda seed: compose_config([f"seed={seed}"]).seed, range(8))) == list(range(8))
    assert not GlobalHydra.instance().is_initialized()


def test_a_program_of_hydras_own_can_compose_too(tmp_path):
    (tmp_path / "conf.yaml").write_text("a: 1\nhydra: {run: {dir: out}, output_subdir: null}\n")
    (tmp_path / "program.py").write_text(
        "import hydra\nfrom hydra.core.global_hydra import GlobalHydra\n"
        "from experiments.run_config.compose import compose_config\n\n\n"
        "@hydra.main(config_path='.', config_name='conf', version_base=None)\n"
        "def main(config):\n"
        "    before = GlobalHydra.instance().hydra\n"
        "    print(config.a, compose_config(['seed=3']).seed, GlobalHydra.instance().hydra is before)\n\n\n"
        "main()\n"
    )
    words = [sys.executable, "program.py", "a=2"]
    environment = os.environ | {"PYTHONPATH": str(Path(CONFIG_DIR).parents[1])}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "2 3 True\n"


def test_a_search_path_of_hydras_own_is_followed(tmp_path):
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "mine.yaml").write_text("{_target_: envs.make_vec, name: mine, id: Hopper-v5, alive_bonus: 1}")
    assert compose_config([f"hydra.searchpath=[file://{tmp_path}]", "env=mine"]).env.name == "mine"


DAMAGED = {
    "a list": ("- 1\n", "agent=mine: expected a YAML file with keys such as _target_; got a list"),
    "empty": ("", "agent=mine: expected a YAML file with the keys _target_ and name; it has neither"),
    "a text": ("hello\n", "agent=mine: expected a YAML file with the keys _target_ and name; it has neither"),
    "no name": ("_target_: agents.RSNN", "missing key 'agent.name': add it to the YAML of agent=mine"),
    "no target": ("name: mine", "missing key 'agent._target_': add it to the YAML of agent=mine"),
    "no YAML": ("{a: [\n", "damaged, or no YAML: "),
    "not UTF-8": (b"name: caf\xe9\n", "mine.yaml': 'utf-8' codec can't decode byte 0xe9"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_yaml_file_that_is_no_component_is_named(tmp_path, damage):
    content, message = DAMAGED[damage]
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "mine.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as error:
        compose_config(["agent=mine"], tmp_path)
    assert message in str(error.value)
    assert "None" not in str(error.value)


def test_a_searcher_without_solutions_is_told_by_its_name(tmp_path):
    (tmp_path / "searcher").mkdir()
    (tmp_path / "searcher" / "mine.yaml").write_text("{_target_: ec_evotorch.EvolvingConnectivity, name: mine}")
    with pytest.raises(UserError, match=r"missing key 'searcher.solutions': add it to the YAML of searcher=mine$"):
        compose_config(["searcher=mine"], tmp_path)


@pytest.mark.parametrize(
    ("component", "label", "word"),
    [("agent", "weight_scale", "searcher=es agent=gru"), ("searcher", "solutions", "searcher=ec")],
)
def test_a_label_that_others_need_is_asked_for(component, label, word):
    with pytest.raises(UserError, match=rf"missing key '{component}\.{label}': add it to the YAML of {component}="):
        compose_config([*word.split(), f"~{component}.{label}"])


def test_a_sweep_has_one_run_for_each_combination():
    assert compose_sweep(["env=ant,hopper", "seed=0,1", "budget=5"])[1] == [
        ["env=ant", "seed=0", "budget=5"],
        ["env=ant", "seed=1", "budget=5"],
        ["env=hopper", "seed=0", "budget=5"],
        ["env=hopper", "seed=1", "budget=5"],
    ]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("agent.num_neuron=3", "unknown key 'agent.num_neuron' (did you mean 'agent.num_neurons'?)"),
        ("popsize=3", "unknown key 'popsize' (did you mean 'searcher.popsize'?)"),
        ("sed=3", "unknown key 'sed' (did you mean 'seed'?)"),
        ("env.zzz=1", "is added with a plus: +env.zzz=1"),
        ("env=hoper", "(did you mean 'hopper'?)"),
        ("searcher=nope", "searcher: expected one of cem, ec"),
        ("env=null", "got 'env=null'"),
        ("seed=0,1", "'seed=0,1' asks for several runs: add -m"),
        ("seed", "expected key=value words"),
        ("run_dir=${nope}", "'nope' not found"),
    ],
)
def test_a_word_that_does_not_fit_is_named(word, message):
    with pytest.raises(UserError) as error:
        compose_config([word])
    assert message.lower() in str(error.value).lower()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("budget=-3", "budget: expected a whole number, at least 1; got -3"),
        ("budget=1.5", "budget: expected a whole number, at least 1; got 1.5"),
        ("budget=nan", "budget: expected a whole number, at least 1; got nan"),
        ("seed=abc", "seed: expected a whole number, at least 0; got 'abc'"),
        ("overwrite=3", "overwrite: expected true or false; got 3"),
        ("run_dir=''", "run_dir: expected the path of a folder; got ''"),
        ("eval.every=0", "eval.every: expected a whole number, at least 1; got 0"),
        ("eval=3", "eval: expected the keys every, episodes, final_episodes; got 3"),
        ("+eval.evry=3", "unknown key 'eval.evry' (did you mean 'every'?)"),
        ("+bugdet=3", "unknown key 'bugdet' (did you mean 'budget'?)"),
        ("~overwrite", "missing key 'overwrite'"),
        ("problem.seed=3", "problem.seed: expected that of the run, 0; got 3: set seed instead"),
        ("problem.seed=null", "problem.seed: expected that of the run, 0; got null: set seed instead"),
    ],
)
def test_a_bad_setting_is_named_with_what_was_expected(word, message):
    with pytest.raises(UserError) as error:
        RunSettings.from_config(compose_config([word]))
    assert str(error.value) == message


@pytest.mark.parametrize(
    "target", ["os.getcwd", "envs.make.gymnasium.make", "agents.Nope", "agents", "'agents.'", "nope", "3"]
)
@pytest.mark.parametrize("place", ["agent._target_={}", "+searcher.optimizer_config=[{{_target_:{}}}]"])
def test_targets_outside_the_packages_are_never_called(place, target):
    with pytest.raises(UserError, match="_target_: "):
        build(compose_config([place.format(target)]))


def test_an_interpolation_that_is_cut_off_is_refused_with_words(tmp_path):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "mine.yaml").write_text("_target_: agents.RSNN\nname: mine\nconnections: ${\n")
    with pytest.raises(UserError, match="the YAML files do not make a configuration: GrammarParseError"):
        compose_config(["agent=mine"], tmp_path)
