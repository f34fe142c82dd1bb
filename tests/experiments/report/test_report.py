"""The report is one well-formed page that needs nothing else, whatever is in the files that it is about."""

import base64
import os
import shlex
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from ec_evotorch import EvolvingConnectivity
from experiments.analysis.load_results import load, save
from experiments.cli import main
from experiments.errors import UserError
from experiments.evaluation.trained_network import load_network
from experiments.report import videos
from experiments.report.report import report
from experiments.run_config.compose import compose_config
from experiments.run_folder.checkpoints import find_checkpoints, read_checkpoint
from experiments.run_folder.read import read_config
from experiments.run_folder.run_command import run_command


class Page:
    """A page as a browser sees it. It must be XML as well, so that whatever is not escaped is an error."""

    def __init__(self, text: str):
        assert text.startswith("<!DOCTYPE html>\n")
        self.root = ElementTree.fromstring(text)
        self.text = " ".join("".join(self.root.find("body").itertext()).split())
        self.pictures = [image.get("alt") for image in self.root.iter("img")]

    def rows(self, table: str) -> list[list[str]]:
        (box,) = (box for box in self.root.iter("div") if box.get("aria-label") == table)
        return [["".join(cell.itertext()) for cell in row] for row in box.iter("tr")]


def test_a_trained_network_is_on_the_page(finished_run, capsys):
    assert main(["report", str(finished_run), "--output", "r.html"]) == 0
    assert capsys.readouterr().out == "r.html\n"
    page = Page(Path("r.html").read_text(encoding="utf-8"))
    assert page.pictures[3:] == ["ρ", "ρ over training", "Blocks over training", "ρ at the end", "Spikes", "Degrees"]
    assert "16 neurons, 8 of them excitatory; " in page.text
    assert "% of the recurrent connections exist. " in page.text
    assert f"{finished_run}: finished" in page.text


def test_the_page_needs_nothing_but_itself(finished_run):
    page = Page(report([finished_run]))
    references = [value for node in page.root.iter() for key, value in node.items() if key in ("src", "href", "action")]
    assert references
    assert all(reference.startswith("data:image/png;base64,") for reference in references)
    assert not [node for node in page.root.iter() if node.tag in ("script", "link", "iframe", "object")]
    assert "url(" not in page.root.find("head/style").text


def add_film(run: Path, name: str, content: bytes, age: float = -1.0) -> None:
    (run / name).write_bytes(content)
    changed = (run / "policy.safetensors").stat().st_mtime - age
    os.utime(run / name, (changed, changed))


@pytest.fixture
def run_with_policy(write_run):
    folder = write_run("runs/a", {100: 1.0, 200: 2.0})
    (folder / "policy.safetensors").write_bytes(b"")
    return folder


def test_films_of_runs_are_on_the_page(run_with_policy, write_run):
    write_run("runs/b", {100: 1.0, 200: 2.0}, seed=1)
    add_film(run_with_policy, "video.mp4", b"moving")
    add_film(run_with_policy, "video.gif", b"moving too")
    page = Page(report(["runs"]))
    (film,) = page.root.iter("video")
    assert film.get("src") == f"data:video/mp4;base64,{base64.b64encode(b'moving').decode()}"
    assert {"controls", "muted", "loop"} <= set(film.keys())
    (picture,) = (image for image in page.root.iter("img") if image.get("alt") == "runs/a")
    assert picture.get("src") == f"data:image/gif;base64,{base64.b64encode(b'moving too').decode()}"
    assert "media-src data:" in page.root.find("head/meta[@http-equiv]").get("content")
    assert "There are none." in page.text


def test_without_films_there_is_no_such_section(run_with_policy):
    assert "Films" not in Page(report(["runs"])).text


def test_a_film_of_an_earlier_policy_is_left_out(run_with_policy):
    add_film(run_with_policy, "video.mp4", b"moving", age=60.0)
    page = Page(report(["runs"]))
    assert not list(page.root.iter("video"))
    assert "'runs/a/video.mp4' is not shown, because the policy is newer: ec-evotorch video runs/a" in page.text


def test_films_that_the_page_has_no_room_for_are_left_out(run_with_policy, monkeypatch):
    monkeypatch.setattr(videos, "MOST_BYTES", 9)
    add_film(run_with_policy, "video.mp4", b"moving")
    add_film(run_with_policy, "video.gif", b"moving")
    page = Page(report(["runs"]))
    assert len(list(page.root.iter("video"))) == 1
    assert "runs/a" not in page.pictures
    assert "'runs/a/video.gif' is not shown: its 0.0 MB are more than the 0.0 MB that are left" in page.text


def test_methods_seeds_versions_and_commands_are_told(write_run):
    for seed in (0, 1):
        write_run(f"runs/hopper-rsnn-es-seed{seed}", {100: 1.0, 200: 3.0 + seed}, method="rsnn-es", seed=seed)
    write_run("runs/hopper-gru-es-seed0", {100: 2.0, 200: 9.0}, method="gru-es")
    page = Page(report(["runs"]))
    assert page.rows("methods")[1:] == [
        ["Hopper-v5", "ES-GRU", "0", "1 of 1", "200"],
        ["Hopper-v5", "ES-RSNN", "0, 1", "2 of 2", "200"],
    ]
    assert ["mujoco", "4.0.0"] in page.rows("software")
    assert [row[:2] for row in page.rows("scores")[1:]] == [["ES-GRU", "1"], ["ES-RSNN", "2"]]
    assert page.pictures == ["Learning curves", "Learning curves over time", "Scores"]
    assert "None of these runs has a trained network" in page.text
    assert "ec-evotorch train -m env=hopper agent=rsnn searcher=es seed=0,1 budget=200" in page.text


def test_warnings_stand_on_the_page(write_run):
    write_run("stopped", {100: 1.0, 200: 2.0}, budget=1_000)
    write_run("begun", {}, method="gru-es")
    page = Page(report(["stopped", "begun"]))
    assert "'stopped' has 200 of 1,000 environment steps" in page.text
    assert "Scores" in page.pictures or "Scores: " in page.text


def test_runs_of_a_saved_table_have_no_folder_to_look_into(write_run):
    write_run("runs/a", {100: 1.0, 200: 2.0})
    save(load("runs"), "results.csv")
    shutil.rmtree("runs")
    page = Page(report(["results.csv"]))
    assert "no command composes" in page.text
    assert "runs/a: finished, 200 steps" in page.text


HOSTILE = "<script>alert('&\"')</script><img src=x onerror=alert(1)>"


def test_what_stands_in_files_is_text_on_the_page(write_run):
    folder = write_run("runs/<b>bold & 'quoted'", {100: 1.0, 200: 2.0})
    config = OmegaConf.load(folder / "config.yaml")
    config.env.id = config.agent.name = config.versions.mujoco = config.versions.git_commit = HOSTILE
    OmegaConf.save(config, folder / "config.yaml")
    page = Page(report(["runs"]))
    assert not {"script", "b"} & {node.tag for node in page.root.iter()}
    assert all(image.get("src").startswith("data:") for image in page.root.iter("img"))
    assert HOSTILE in page.text
    assert "<b>bold & 'quoted'" in page.text


def test_without_a_checkpoint_the_connections_are_shown_and_why(train_tiny):
    folder = train_tiny("budget=100")
    for path in find_checkpoints(folder):
        path.unlink()
    page = Page(report([folder]))
    assert page.pictures[3:] == ["θ*", "ρ over training", "Blocks over training", "Spikes", "Degrees"]
    assert "ρ are not known: the run has no checkpoint" in page.text


def test_a_checkpoint_of_another_generation_is_not_taken_for_the_policys(train_tiny):
    folder = train_tiny("budget=100", "checkpoint_every=1", "incumbent=null")
    (other, last), policy = find_checkpoints(folder), load_network(folder)
    rho = EvolvingConnectivity.prob_in(read_checkpoint(last).search).numpy()
    np.testing.assert_array_equal(np.concatenate([part.ravel() for part in policy.probabilities.values()]), rho)
    last.unlink()
    before = EvolvingConnectivity.prob_in(read_checkpoint(other).search).numpy()
    assert not np.array_equal(before > 0.5, rho > 0.5)
    assert load_network(folder).probabilities is None
    assert "of another generation than the policy" in load_network(folder).why_no_probabilities


def test_a_network_without_bits_is_refused(train_tiny, write_run):
    write_run("runs/a", {100: 1.0})
    with pytest.raises(UserError, match="'runs/a' holds no policy"):
        report(["runs"], network=Path("runs/a"))
    folder = train_tiny("searcher=es", "budget=1")
    with pytest.raises(UserError, match="expected one-bit connections"):
        report([folder], network=folder)


def test_a_page_has_its_suffix(finished_run, capsys):
    assert main(["report", str(finished_run), "--output", "r.pdf"]) == 2
    assert "--output: expected a name that ends in .html or .htm; got 'r.pdf'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["env=walker2d", "agent=gru", "searcher=pgpe", "seed=3", "budget=77"],
        ["env.healthy_reward=2", "+env.reset_noise_scale=0.25", "searcher.popsize=33", "eval.every=null"],
        ["agent=rsnn_sign", "searcher=ppo", "+agent.tau_mem=20", "searcher.critic_sizes=[8]", "run_dir=a b/c"],
        ["incumbent=null", "searcher=es"],
        ["incumbent.share=0.25", "incumbent.num_episodes=3"],
        ["agent=evotorch_net", "searcher=es", "agent.module.s='RNN(obs_length, 4) >> Linear(4, act_length)'"],
    ],
)
def test_a_command_makes_the_configuration_that_it_was_made_from(words):
    config = OmegaConf.to_container(compose_config(words))
    program, command, *again = shlex.split(run_command(config))
    assert (program, command) == ("ec-evotorch", "train")
    composed = compose_config(again)
    composed.budget = int(composed.budget)
    assert OmegaConf.to_container(composed) == config | {"budget": int(config["budget"])}


def test_a_run_from_before_there_were_incumbents_is_repeated_without_one(finished_run):
    config = read_config(finished_run / "config.yaml")
    del config["incumbent"]
    assert "incumbent=null" in shlex.split(run_command(config))


def test_a_configuration_of_files_that_are_not_here_has_no_command(finished_run):
    config = read_config(finished_run / "config.yaml")
    config["agent"]["name"] = "somebody_elses"
    assert run_command(config) is None
