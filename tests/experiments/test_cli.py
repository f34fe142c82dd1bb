"""A user's mistake is one line on stderr and exit code 2; nothing is written, nothing is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import __version__
from experiments.cli import COMMANDS, main
from experiments.commands import table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def refusal(capsys, working_directory):
    """Runs a command that must be refused, checks how, and returns its line without the program's name."""

    def run(*words: str) -> str:
        before = sorted(working_directory.rglob("*"))
        code = main(list(words))
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert sorted(working_directory.rglob("*")) == before
        return err.removeprefix("ec-evotorch: error: ").rstrip()

    return run


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["budget=-3"], "budget"),
        (["seed=abc"], "seed"),
        (["searcher=nope"], "searcher: expected one of"),
        (["agent.num_neuron=8"], "did you mean 'agent.num_neurons'?"),
        (["problem.num_envs=0"], "num_envs"),
        (["problem.num_threads=-1"], "num_threads"),
        (["agent.num_neurons=foo"], "num_neurons"),
        (["+agent.foo=1"], "foo"),
        (["+env.foo=1"], "foo"),
        (["env.id=Hoper-v5"], "Hoper-v5"),
        (["searcher.popsize=0"], "popsize"),
        (["searcher.optimizer=nope"], "optimizer"),
        (["agent.connections=real"], "set agent.connections=boolean"),
        (["agent._target_=os.getcwd"], "_target_"),
        (["searcher=es", "agent=evotorch_net", "agent.module.s='Foo(3)'"], "Foo"),
        (
            ["searcher=es", "agent=evotorch_net", "agent.module.s='Linear(obs_length, 7)'"],
            "output of shape (1,), got (7,)",
        ),
        (["searcher=es", "agent=evotorch_net", "agent.module._target_=os.system"], "_target_"),
        (["searcher=es", "searcher.popsize=15"], "popsize: expected an even integer"),
        (["searcher=pgpe", "searcher.optimizer=nope"], "'nope'"),
        (["searcher=pgpe", "+searcher.foo=1"], "foo"),
        (["searcher=es", "agent.weight_scale=abc"], "'abc'"),
        (["problem.num_actors=two"], "num_actors: expected a whole number of at least 0, got 'two'"),
        (["searcher=ppo", "problem.num_actors=2"], "num_actors: PPO collects in one process"),
        (["searcher=ec_critic", "problem.num_actors=2"], "num_actors: ActorCriticEC collects in one process"),
        (["searcher=ec_critic", "searcher.credit=x"], "credit: expected one of 'currents', 'outputs', 'mixed', "),
        (["searcher=ec_critic", "searcher.hold_steps=3"], "batch_size: expected a multiple of num_envs times hold_s"),
        (["searcher=ec_critic", "searcher.decrease_rewards_by=x"], "searcher.decrease_rewards_by: expected a finite"),
        (["searcher=pgpe", "problem.num_actors=2", "problem.scalar_only=true"], "expected searcher=ec or es, got pgpe"),
        (["+env.reset_noise_scale=x"], "env.reset_noise_scale: InvertedPendulum-v5 cannot be made and played with"),
        (["searcher.center_learning_rate=abc"], "center_learning_rate: expected a positive number, got 'abc'"),
        (["searcher.prob_min=x"], "prob_min: expected a number or one for each bit, got 'x'"),
        (["searcher.prob_init=null"], "prob_init: expected a number or one for each bit, got None"),
        (["problem.num_envs=true"], "num_envs: expected a positive whole number, got True"),
        (["problem.decrease_rewards_by=nan"], "decrease_rewards_by: expected a finite number or None, got nan"),
        (["-m", "seed=glob(*)"], "expected a list of values, got 'seed=glob(*)'"),
        (["--nope"], "--nope"),
        (["experiment=fig3"], "experiment= asks for several runs: add -m"),
        (["-m", "seed=1,1"], "two runs of the sweep would share the folder"),
        (["-m", "seed=1,2", "run_dir=here"], "two runs of the sweep would share the folder 'here'"),
        (["foo"], "expected key=value words, such as env=hopper; got 'foo'"),
        (["=3"], "expected key=value words, such as env=hopper; got '=3'"),
        (["seed=[1"], "expected key=value words, such as env=hopper; got 'seed=[1'"),
        (["runs=null"], "runs: expected the path of a folder; got None"),
        (["agent.name=null"], "agent.name: expected a name that a folder can have; got None"),
        (["env.name=a/b"], "env.name: expected a name that a folder can have; got 'a/b'"),
        (["searcher.name=.."], "searcher.name: expected a name that a folder can have; got '..'"),
        (["agent.label=[a]"], "agent.label: expected a text of one line; got ['a']"),
        (["searcher.popsize=1e9"], "at least 2; got 1000000000.0, which is to be written as 1000000000"),
        (
            ["searcher.popsize=1000000000"],
            "searcher: there is not enough memory for it with searcher.popsize=1000000000",
        ),
        (["budget=1e30"], "budget: expected a number of at most 63 bits; got 1e+30"),
        ([f"budget={10**400}"], "budget: expected a number of at most 63 bits; got one of hundreds of digits"),
        (["agent._target_=nowhere.Agent"], "or put the module into the folder that --config-dir names"),
        (["-m", "searcher.popsize=4,0", "run_dir=runs/${searcher.popsize}"], "popsize"),
    ],
)
def test_train_refuses_a_mistake_in_one_line(refusal, words, message):
    assert message in refusal("train", "env=inverted_pendulum", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "command"),
        (["nope"], "'nope'"),
        (["evaluate"], "run"),
        (["evaluate", "nowhere"], "'nowhere' holds no policy"),
        (["evaluate", "nowhere", "--episodes", "0"], "--episodes: expected a whole number, at least 1; got 0"),
        (["evaluate", "nowhere", "--csv", "nowhere/out.csv"], "--csv: 'nowhere' is not a folder"),
        (["table"], "runs"),
        (["table", "nowhere"], "'nowhere': there is no such folder or file"),
        (["table", "."], "found no run in . (config.yaml and metrics.csv)"),
        (["table", ".", "--at-steps", "1.5"], "--at-steps"),
        (["table", ".", "--format", "html"], "--format"),
        (["plot", "nowhere"], "'nowhere': there is no such folder or file"),
        (["plot", ".", "--output", "a.pdf"], "--output: expected a name that ends in .png or .svg; got 'a.pdf'"),
        (["plot", ".", "--kind", "pie"], "--kind"),
        (
            ["table", ".", "--output", "a.pdf"],
            "--output: expected a name that ends in one of .md, .csv, .tex, .txt, or",
        ),
        (["claims", ".", "--output", "a.html"], "or --format too; got 'a.html'"),
        (["plot", ".", "--kind", "bars", "--x", "steps"], "--x: expected only with --kind curves; got --kind bars"),
        (
            ["plot", ".", "--kind", "bars", "--band", "range"],
            "--band: expected only with --kind curves; got --kind bars",
        ),
        (
            ["plot", ".", "--kind", "heatmap", "--statistic", "iqm"],
            "only with --kind curves or bars; got --kind heatmap",
        ),
        (["video"], "run"),
        (["video", "nowhere"], "'nowhere' holds no policy"),
        (["video", "."], "'.' holds no policy"),
        (["video", "nowhere", "-o", "hop.avi"], "--output: expected a name that ends in .mp4 or .gif; got 'hop.avi'"),
        (["video", "nowhere", "-o", "nowhere/hop.mp4"], "--output: 'nowhere' is not a folder"),
        (["video", "nowhere", "--seed", "seven"], "--seed: expected a whole number, at least 0; got 'seven'"),
        (["video", "nowhere", "--width", "641"], "--width: expected an even number from 160 to 4096; got 641"),
        (["video", "zoo/hopper", "-o", "a.gif", "--fps", "60"], "--fps: expected at most 50 for a GIF; got 60"),
        (["watch", "nowhere"], "'nowhere' holds no policy"),
        (["watch", "nowhere", "--max-seconds", "0"], "--max-seconds: expected a positive number; got 0"),
        (["energy", "nowhere"], "'nowhere' holds no policy"),
        (["energy", "--chip", "lohi"], "loihi_per_synapse, or a YAML file; got 'lohi' (did you mean 'loihi'?)"),
        (["energy", "nowhere", "--episodes", "0"], "--episodes: expected a whole number, at least 1; got 0"),
    ],
)
def test_other_commands_refuse_a_mistake_in_one_line(refusal, words, message):
    assert message in refusal(*words)


def test_evaluate_refuses_a_file_in_place_of_a_run(refusal, working_directory):
    (working_directory / "file").write_text("")
    assert "'file' holds no policy" in refusal("evaluate", "file")


def test_a_folder_that_may_not_be_read_is_one_line(refusal, monkeypatch):
    def refuse(arguments):
        raise PermissionError(13, "Permission denied", "runs/a")

    monkeypatch.setattr(table, "main", refuse)
    assert "cannot read or write 'runs/a': Permission denied" in refusal("table", "runs")


@pytest.mark.parametrize("command", ["table", "plot"])
def test_a_file_that_cannot_be_written_is_one_line(refusal, write_run, command):
    write_run("run", {100: 1.0})
    name = {"table": "nowhere/a.md", "plot": "nowhere/a.png"}[command]
    assert f"cannot write '{name}': No such file or directory" in refusal(command, "run", "--output", name)


def test_a_run_is_never_overwritten(refusal, working_directory):
    (working_directory / "here").mkdir()
    (working_directory / "here" / "metrics.csv").write_text("mine")
    message = refusal("train", "run_dir=here")
    assert "'here' holds a run already" in message
    assert "overwrite=true" in message
    assert "run_dir=" in message
    assert (working_directory / "here" / "metrics.csv").read_text() == "mine"


def test_a_sweep_never_overwrites_a_run(refusal, working_directory):
    (working_directory / "seed1").mkdir()
    (working_directory / "seed1" / "config.yaml").write_text("mine")
    assert "'seed1' holds a run already" in refusal("train", "-m", "seed=0,1", "run_dir=seed${seed}")


def test_a_run_cannot_be_put_under_a_file(refusal, working_directory):
    (working_directory / "file").write_text("")
    assert "run_dir: expected a folder; 'file' is a file" in refusal("train", "run_dir=file/run")


@pytest.mark.parametrize("words", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help_is_help(capsys, words):
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 0
    assert "usage: ec-evotorch" in capsys.readouterr().out


@pytest.mark.parametrize("room", ["native", "envs", "agents"])
def test_another_projects_package_of_one_of_our_names_is_named(tmp_path, room):
    (tmp_path / room).mkdir()
    (tmp_path / room / "__init__.py").write_text('"""Agents that talk."""\nraise SystemExit("imported")\n')
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    words = [sys.executable, "-c", "import sys; from experiments.cli import main; sys.exit(main(['table', 'runs']))"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"the package '{room}' is not that of ec-evotorch, but {tmp_path / room / '__init__.py'}" in done.stderr
    assert "a virtual environment of its own" in done.stderr


def test_version_is_the_packages(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"ec-evotorch {__version__}\n"


def test_train_needs_no_words_to_print_its_configuration(capsys):
    assert main(["train", "--cfg", "job"]) == 0
    assert "ec_evotorch.EvolvingConnectivity" in capsys.readouterr().out


def test_train_without_any_argument_reads_no_option():
    from experiments.commands.train import _option

    assert _option([], "--config-dir") is None
    assert _option(["--config-dir"], "--config-dir") is None
    assert _option(["--config-dir", "mine"], "--config-dir") == "mine"


def test_help_is_help_with_a_folder_of_yaml_files_that_is_not_there(capsys, monkeypatch):
    monkeypatch.setenv("EC_EVOTORCH_CONFIG_DIR", "nowhere")
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--help"])
    assert exit_.value.code == 0
    assert "EC_EVOTORCH_CONFIG_DIR: expected a folder of YAML files; 'nowhere' is none" in capsys.readouterr().out


def test_a_name_that_no_file_can_have_is_one_line(refusal):
    assert "cannot read or write 'aaa" in refusal("table", "a" * 300)


def test_who_reads_the_first_line_only_ends_no_command_with_an_error(write_run):
    write_run("run", {500: 1.0, 1000: 2.0})
    line = f"{sys.executable} -m experiments.cli table run --format csv | true; echo ${{PIPESTATUS[0]}}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True)
    assert "BrokenPipe" not in done.stderr
    assert done.stdout == "0\n"
