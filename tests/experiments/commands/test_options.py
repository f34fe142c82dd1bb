"""Every option of every command that reads runs refuses a wrong value in one line that names the option."""

import argparse
import importlib

import pytest

from experiments.cli import COMMANDS, main
from experiments.commands import arguments
from experiments.errors import ArgumentParser

WITHOUT = ("train", "resume")  # their words are Hydra's, and tested with the configuration
NOT_WHOLE = ("abc", "1.5", "nan", "inf", "1e400", "", "-1", "1,000", "0x10")
NOT_A_NUMBER = ("abc", "nan", "inf", "-inf", "1e400", "", "1,5")
NOT_POSITIVE = (*NOT_A_NUMBER, "0", "-1")
WRONG = {  # option -> values that it must refuse
    "--at-steps": (*NOT_WHOLE, "0"),
    "--episodes": (*NOT_WHOLE, "0"),
    "--num-envs": (*NOT_WHOLE, "0"),
    "--lesion-episodes": (*NOT_WHOLE, "0", "1"),
    "--part": ("anatomy", ""),
    "--workers": (*NOT_WHOLE, "0"),
    "--seed": NOT_WHOLE,
    "--seconds": NOT_POSITIVE,
    "--max-seconds": NOT_POSITIVE,
    "--fps": (*NOT_WHOLE, "0", "241"),
    "--width": (*NOT_WHOLE, "158", "4098", "321"),
    "--height": (*NOT_WHOLE, "158", "4098", "321"),
    "--threshold": NOT_A_NUMBER,
    "--margin": (*NOT_A_NUMBER, "-0.1", "1.1", "10%"),
    "--score": ("best", ""),
    "--format": ("html", ""),
    "--kind": ("pie", ""),
    "--x": ("y", ""),
    "--statistic": ("max", ""),
    "--returns": ("best", ""),
    "--band": ("wide", ""),
    "--method": ("EC-RSN", ""),
    "--against": ("EC-RSN", ""),
    "--chip": ("lohi", "nowhere.yaml"),
    "--trust": ("", "not a package", "nowhere/file.py", "1abc"),
    "--network": ("nowhere", "file"),
    "--csv": ("nowhere/out.csv", "file/out.csv"),
    "--env": ("", "abc", "=1", "a.b=1", "1a=2", "id=", "a=[1", "a=${b}"),
    "--flip": ("", "abc", "nan", "-0.1", "1.1", "0.1,,0.2", "0.1 0.2", "10%"),
    "--silence": ("", "abc", "nan", "-0.1", "1.1", "0.1,", "10%"),
    "--noise": ("", "abc", "nan", "inf", "-0.1", "0.1,x"),
    "--draws": (*NOT_WHOLE, "0"),
    "--plot": ("nowhere/a.png", "file/a.png", "a.gif", "folder.png"),
    "--output": ("nowhere/a.md", "nowhere/a.png", "nowhere/a.html", ".", "folder.png", "folder.html"),
}
FILMS = ("nowhere/a.mp4", "nowhere/a.gif", "file/a.mp4", "a", "a.avi", "a.mp4.zip", ".", "folder.gif", "")
WRONG_FOR_COMMAND = {
    ("bench", "--csv"): ("nowhere", "file"),
    ("video", "--output"): FILMS,
    ("analyze", "--output"): ("file", "nowhere/folder", "file/folder"),
}


class Parsed(Exception):
    """Raised in the place of parsing, with the parser."""


def parser_of(command, monkeypatch) -> ArgumentParser:
    def stop(parser, *_):
        raise Parsed(parser)

    with monkeypatch.context() as patch:
        patch.setattr(ArgumentParser, "parse_args", stop)
        with pytest.raises(Parsed) as caught:
            importlib.import_module(COMMANDS[command]).main([])
    return caught.value.args[0]


def options_of(parser) -> list[str]:
    return [
        action.option_strings[-1]
        for action in parser._actions
        if action.option_strings and not isinstance(action, argparse._HelpAction)
    ]


@pytest.fixture
def refusal(capsys, write_run, working_directory):
    """Runs a command on two methods, checks that it is refused and writes nothing, and returns its line."""
    write_run("runs/ec", {500: 1.0, 1000: 2.0})
    write_run("runs/es", {500: 1.0, 1000: 2.0}, method="rsnn-es")
    (working_directory / "file").write_text("")
    for name in ("folder.png", "folder.html", "folder.gif"):
        (working_directory / name).mkdir()

    def run(*words: str) -> str:
        before = sorted(working_directory.rglob("*"))
        code = main(list(words))
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n")) == (2, "", 1), (words, code, out, err)
        assert sorted(working_directory.rglob("*")) == before
        return err

    return run


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in WITHOUT])
def test_every_option_refuses_wrong_values_by_its_name(command, refusal, monkeypatch):
    runs = {"evaluate": ["nowhere"], "energy": [], "bench": []}.get(command, ["runs"])
    options = options_of(parser_of(command, monkeypatch))
    assert options
    for option in options:
        for value in WRONG_FOR_COMMAND.get((command, option), WRONG[option]):
            message = refusal(command, *runs, f"{option}={value}")
            assert message.startswith("ec-evotorch: error: ")
            assert option.lstrip("-") in message or f"'{value}'" in message, message
            assert any(
                word in message for word in ("expected", "invalid choice", "is not a folder", "no method", "cannot")
            )


@pytest.mark.parametrize("command", ["table", "claims", "plot", "report"])
@pytest.mark.parametrize("steps", ["1000", "1e3", "1_000"])
def test_a_number_of_steps_can_be_written_in_several_ways(command, steps, write_run, capsys, working_directory):
    write_run("runs/ec", {500: 1.0, 1000: 2.0, 2000: 3.0})
    write_run("runs/es", {500: 1.0, 1000: 2.0, 2000: 3.0}, method="rsnn-es")
    assert main([command, "runs", "--at-steps", steps]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (arguments.whole_number(0), "0", 0),
        (arguments.whole_number(1), "9007199254740993", 9007199254740993),  # more than a float can hold
        (arguments.whole_number(1), "1e6", 1_000_000),
        (arguments.positive_number, "1e-3", 0.001),
        (arguments.finite_number, "-2.5", -2.5),
        (arguments.share, "0", 0.0),
        (arguments.share, "1", 1.0),
    ],
)
def test_readers_return_the_number_that_was_written(read, text, value):
    assert read(text) == value
    assert type(read(text)) is type(value)


def test_commands_have_plain_help_for_every_option(monkeypatch):
    for command in COMMANDS:
        if command not in WITHOUT:
            for action in parser_of(command, monkeypatch)._actions:
                assert len((action.help or "").split()) >= 3, (command, action.dest)
