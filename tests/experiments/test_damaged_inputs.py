"""Thousands of damaged inputs of every kind: each gives one line of a user's mistake or a result, and loses nothing.

The damages are drawn from a seed, so that each can be repeated: `damage_one(kind, number, …)`. A few of each kind
run by default; `-m slow` runs a thousand of each and prints how they ended.
"""

import json
import random
import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from experiments import errors
from experiments.analysis.load_results import load, save, summary
from experiments.cli import main
from experiments.commands import report as _report  # noqa: F401 (what it imports must not be a name that is replaced)
from experiments.evaluation.trained_network import load_network
from experiments.figures.curves import curves
from experiments.run_config.compose import CONFIG_DIR, compose_config
from experiments.run_config.settings import RunSettings
from experiments.run_folder import archive
from experiments.training.resume import resume
from experiments.training.run import Run, train

MARKER = Path("executed")
FEW, MANY = 40, 1000
GARBAGE = [
    *(
        b"",
        b"\x00",
        b"\xff\xfe\x80",
        b"{",
        b"}",
        b"[",
        b"]",
        b": ",
        b"\t",
        b"\n",
        b"\r\n",
        b"null",
        b"nan",
        b"-1",
        b"'",
        b'"',
    ),
    *(
        b"*a",
        b"&a",
        b"${oops}",
        b"${oc.env:HOME}",
        b",",
        b",,,,",
        b"1e400",
        b"-inf",
        b"9" * 30,
        b"9" * 400,
        b"\xe2\x80\xae",
    ),
    b"!!python/object/apply:os.system ['touch executed']",
    b"\n_target_: os.system\n",
    b"${oc.create:{_target_:os.getcwd}}",
    b"x" * 5000,
    b"[" * 3000,
]
VALUES = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        1.5,
        -0.0,
        1e308,
        float("nan"),
        float("inf"),
        10**18,
        10**30,
        10**400,
        "",
        " ",
        "a",
    ),
    *("../..", "/", "\n", "\0", "é", "nan", "1e6", "${x}", "os.system", "agents.GRU", "EVIL:X-v0", "cuda:0", "a:b"),
    *([], [1], [None], {}, {"a": 1}, {"_target_": "os.system"}, {"_args_": ["touch executed"]}, ["agents.RSNN"]),
    *("x" * 5000, {"a": {"a": {"a": [{}]}}}, [[[]]], {"_target_": "agents.RSNN"}, {"name": "superspike"}),
]
WORDS = [
    *(
        "env=inverted_pendulum",
        "agent=rsnn",
        "searcher=ec",
        "seed=3",
        "budget=1e3",
        "eval.every=200",
        "problem.num_envs=3",
    ),
    *("agent.num_neurons=16", "+agent.tau_mem=20", "searcher.popsize=4", "run_dir=here", "runs=there", "logger=none"),
    *("method=es_gru", "scale=laptop", "overwrite=true", "agent.label=A", "env.name=b", "searcher.prob_init=0.5"),
    *(
        "checkpoint_every=null",
        "~agent.label",
        "problem.decrease_rewards_by=0",
        "+env.reset_noise_scale=0",
        "progress=false",
    ),
]
OPTIONS = [
    *(
        "--at-steps",
        "--score",
        "--method",
        "--threshold",
        "--against",
        "--format",
        "--output",
        "--kind",
        "--x",
        "--band",
    ),
    *(
        "--statistic",
        "--returns",
        "--margin",
        "--episodes",
        "--seed",
        "--workers",
        "--csv",
        "--trust",
        "--network",
        "--chip",
    ),
    *("--checkpoint", "--config-dir", "--nope", "-m", "--cfg", "--", "-"),
]
RIGHT = [
    *("--at-steps=100", "--score=last5", "--method=EC-RSNN", "--episodes=1", "--seed=3", "--chip=loihi", "--kind=bars"),
    *(
        "--threshold=1",
        "--against=EC-RSNN",
        "--format=csv",
        "--output=a.md",
        "--x=seconds",
        "--trust=agents",
        "--csv=e.csv",
    ),
]
TEXTS = [
    *(
        "",
        " ",
        "0",
        "1",
        "-1",
        "1.5",
        "1e400",
        "nan",
        "EC-RSNN",
        "final",
        "last5",
        "csv",
        "latex",
        "a.pdf",
        "a.md",
        ".",
        "..",
        "job",
    ),
    *(
        "copy",
        "nowhere",
        "nowhere/a.csv",
        "bars",
        "steps",
        "é",
        "\udcff",
        "budget=1",
        "budget",
        "a\nb",
        "*",
        "**/[",
        "~",
        "loihi",
        "a" * 300,
    ),
]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Cuts content off, flips bits, or deletes, repeats, replaces or inserts something."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at, garbage = rng.randrange(len(content) + 1), rng.choice(GARBAGE)
        lines = content.split(b"\n")
        line = rng.randrange(len(lines))
        match rng.choice(["cut", "flip", "empty", "insert", "replace", "line", "repeat", "swap", "noise"]):
            case "cut":
                content = content[:at]
            case "flip" if content:
                at %= len(content)
                content = content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
            case "empty" if rng.random() < 0.1:
                content = b""
            case "insert":
                content = content[:at] + garbage + content[at:]
            case "replace":
                content = content[:at] + garbage + content[at + rng.randrange(12) :]
            case "line":
                content = b"\n".join(lines[:line] + lines[line + 1 :])
            case "repeat":
                content = b"\n".join([*lines[: line + 1], *lines[line:]])
            case "swap":
                other = rng.randrange(len(lines))
                lines[line], lines[other] = lines[other], lines[line]
                content = b"\n".join(lines)
            case "noise":
                content = content[:at] + rng.randbytes(rng.randrange(1, 20)) + content[at:]
    return content


def changed(tree: dict, rng: random.Random) -> dict:
    """Replaces, deletes or adds values somewhere in nested dictionaries and lists."""
    tree = json.loads(json.dumps(tree))
    for _ in range(rng.choice([1, 1, 2, 4])):
        node = tree
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            deeper = [key for key in keys if isinstance(node[key], dict | list) and node[key]]
            if not deeper or rng.random() < 0.5:
                break
            node = node[rng.choice(deeper)]
        value = deepcopy(rng.choice(VALUES))  # which later changes may reach into
        if not keys or rng.random() < 0.1:
            if isinstance(node, dict):
                node[rng.choice(["x", "_target_", "_args_", "label", "", "a.b", "0"])] = value
            continue
        if rng.random() < 0.2:
            del node[rng.choice(keys)]
        else:
            node[rng.choice(keys)] = value
    return tree


# --- what is damaged, and what is done with it; each returns a function to be called ---


def words(rng: random.Random) -> Callable:
    chosen = rng.sample(WORDS, rng.randrange(1, 4))
    at = rng.randrange(len(chosen))
    key = chosen[at].partition("=")[0]
    if rng.random() < 0.5:
        chosen[at] = f"{key}={json.dumps(rng.choice(VALUES))}"
    else:
        chosen[at] = damaged(chosen[at].encode(), rng).decode(errors="surrogateescape")
    return lambda: RunSettings.from_config(compose_config(chosen))


def command_lines(rng: random.Random) -> Callable:
    command = rng.choice(["table", "claims", "energy", "evaluate", "resume", "train", "nope", "", "slow"])
    if command == "slow":
        command = rng.choice(["plot", "plot", "report"])
    line = [command, "copy"] if command != "train" else [command, "--cfg=job", rng.choice(WORDS)]
    for _ in range(rng.choice([1, 1, 2, 3])):
        match rng.choice(["right", "right", "wrong value", "wrong option", "text"]):
            case "right":
                line.append(rng.choice(RIGHT))
            case "wrong value":
                line.append(f"{rng.choice(RIGHT).partition('=')[0]}={rng.choice(TEXTS)}")
            case "wrong option":
                line.append(rng.choice(OPTIONS))
            case "text":
                line.insert(rng.randrange(1, len(line) + 1), rng.choice(TEXTS))
    return lambda: run_command(line)


def yaml_files(rng: random.Random) -> Callable:
    group, choice = rng.choice(
        [("env", "inverted_pendulum"), ("agent", "rsnn"), ("searcher", "ec"), ("method", "ec_rsnn")]
    )
    content = Path(CONFIG_DIR, group, f"{choice}.yaml").read_bytes()
    if rng.random() < 0.5 and group != "method":
        content = yaml.safe_dump(changed(yaml.safe_load(content), rng)).encode()
    else:
        content = damaged(content, rng)
    shutil.rmtree("conf", ignore_errors=True)
    Path("conf", group).mkdir(parents=True)
    Path("conf", group, "mine.yaml").write_bytes(content)
    return lambda: RunSettings.from_config(compose_config([f"{group}=mine"], "conf"))


def configs(rng: random.Random) -> Callable:
    path = Path("copy/config.yaml")
    if rng.random() < 0.5:
        path.write_text(yaml.safe_dump(changed(yaml.safe_load(path.read_text()), rng)))
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))
    return rng.choice([read_results, go_on])


def metrics(rng: random.Random) -> Callable:
    path = Path("copy/metrics.csv")
    path.write_bytes(damaged(path.read_bytes(), rng))
    return rng.choice([read_results, read_results, go_on])


def statuses(rng: random.Random) -> Callable:
    path = Path("copy/status.json")
    if rng.random() < 0.5:
        path.write_text(json.dumps(changed(json.loads(path.read_text()), rng)))
    else:
        path.write_bytes(damaged(path.read_bytes(), rng))
    return rng.choice([read_results, go_on])


def checkpoints(rng: random.Random) -> Callable:
    path = sorted(Path("copy/checkpoints").iterdir())[-1]
    if rng.random() < 0.4:
        path.write_bytes(damaged(path.read_bytes(), rng))
        return rng.choice([go_on, read_network])
    arrays, metadata = archive.unpack(path.read_bytes())
    if rng.random() < 0.3:
        arrays = changed_arrays(arrays, rng)
    else:
        metadata["values"] = json.dumps(changed(json.loads(metadata["values"]), rng))
    metadata["sha256"] = archive.checksum(metadata, *archive._contents(arrays))
    path.write_bytes(archive.pack(arrays, metadata))
    return rng.choice([go_on, read_network])


def policies(rng: random.Random) -> Callable:
    path, tensors = Path("copy/policy.json"), Path("copy/policy.safetensors")
    kind = rng.choice(["bytes", "bytes of tensors", "values", "values", "arrays"])
    if kind == "bytes":
        path.write_bytes(damaged(path.read_bytes(), rng))
    if kind == "bytes of tensors":
        tensors.write_bytes(damaged(tensors.read_bytes(), rng))
    description = json.loads(path.read_text()) if kind in ("values", "arrays") else None
    if kind == "values":
        description = changed(description, rng)
    if kind == "arrays":
        tensors.write_bytes(save_arrays(changed_arrays(load_arrays(tensors.read_bytes()), rng)))
    if description is not None:
        if rng.random() < 0.9:
            description["sha256"] = archive.checksum(description, tensors.read_bytes())
        path.write_text(json.dumps(description))
    return rng.choice([lambda: run_command(["evaluate", "copy", "--episodes=1"]), read_network])


def saved_results(rng: random.Random) -> Callable:
    path = Path("results.csv")
    path.write_bytes(damaged(path.read_bytes(), rng))
    return lambda: summary(load("results.csv"))


def histograms(rng: random.Random) -> Callable:
    return table_of_rho("copy/rho_histogram.csv", rng)


def tables_of_blocks(rng: random.Random) -> Callable:
    return table_of_rho("copy/rho_blocks.csv", rng)


def table_of_rho(name: str, rng: random.Random) -> Callable:
    path = Path(name)
    path.write_bytes(damaged(path.read_bytes(), rng))
    return rng.choice([go_on, read_network])


KINDS = [
    *(words, command_lines, yaml_files, configs, metrics),
    *(statuses, checkpoints, policies, saved_results, histograms, tables_of_blocks),
]


def changed_arrays(arrays: dict, rng: random.Random) -> dict:
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    match rng.choice(["dtype", "shape", "gone", "values", "new"]):
        case "dtype":
            arrays[name] = array.astype(rng.choice(["uint8", "float64", "float16", "int64", "bool"]))
        case "shape":
            arrays[name] = rng.choice([array[:-1], array.reshape(-1)[:0], array.reshape(1, -1), array.repeat(2)])
        case "gone":
            del arrays[name]
        case "values" if array.dtype.kind == "f":
            arrays[name] = array * float(rng.choice(["nan", "inf", "1e30", "0", "-1"]))
        case "new":
            arrays[rng.choice(["x", "solution/x", "search/search"])] = array
    return arrays


# --- what is done with damaged files ---


def run_command(line: list[str]) -> None:
    """Runs a command, and raises what its line said where it was refused."""
    try:
        code = main(line)
    except SystemExit as error:  # of --help
        code = error.code
    if code:
        raise errors.UserError(f"exit code {code}")


def read_results() -> None:
    frame = load("copy")
    summary(frame)
    curves(frame)


def read_network() -> None:
    load_network(Path("copy"))


def go_on() -> None:
    resume(Path("copy"), ["budget=900"])


# --- the check ---


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_run):
    """A run that Ctrl-C stopped after its second generation."""
    folder = tmp_path_factory.mktemp("damaged") / "run"
    whole = Run._step

    def step(run):
        if run._searcher.step_count == 2:
            raise KeyboardInterrupt
        return whole(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "_step", step)
        with pytest.raises(KeyboardInterrupt):
            train(compose_config([*tiny_run, "eval.every=1", f"run_dir={folder}", "checkpoint_every=1"]))
    save(load(folder), folder.parent / "results.csv")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def damage_one(kind: Callable, number: int, run: Path) -> str:
    """Damages one input and uses it; returns how that ended: "refused", "used", or what was wrong."""
    rng = random.Random(f"{kind.__name__} {number}")
    shutil.rmtree("copy", ignore_errors=True)
    shutil.copytree(run, "copy")
    shutil.copyfile(run.parent / "results.csv", "results.csv")
    use = kind(rng)
    before = content(Path("copy"))
    try:
        use()
    except errors.UserError as error:
        lost = [name for name, bytes_ in before.items() if content(Path("copy")).get(name) != bytes_]
        said = str(error)
        ended = "refused" if not lost and said.strip() and "\n" not in said else f"lost {lost}: {said}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        ended = f"{type(error).__name__}: {error}"
    else:
        ended = "used"
    if MARKER.exists():
        MARKER.unlink()
        ended = f"executed code; {ended}"
    return ended


@pytest.fixture
def damages(run, monkeypatch, capfd):
    """Damages inputs of a kind and returns how many were refused and used; fails with all that went wrong."""
    monkeypatch.setattr(Run, "go_on", lambda run: run._folder)  # it has been checked, built and loaded
    monkeypatch.setenv("COLUMNS", "200")

    def damages(kind: Callable, count: int) -> Counter:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ended = {number: damage_one(kind, number, run) for number in range(count)}
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        wrong = {number: how for number, how in ended.items() if how not in ("refused", "used")}
        assert wrong == {}
        return Counter(ended.values())

    return damages


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_damaged_input_is_refused_in_a_line_or_used_and_nothing_is_lost_or_executed(kind, damages):
    ended = damages(kind, FEW)
    assert ended["refused"] > 0
    assert ended.total() == FEW


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_thousand_damaged_inputs_of_a_kind(kind, damages, capfd):
    ended = damages(kind, MANY)
    with capfd.disabled():
        print(f"\n{kind.__name__}: {MANY:,} damaged, {ended['refused']:,} refused, {ended['used']:,} used")
