"""``djfast completion SHELL``: a script with which a shell completes commands, options, recipe keys and OPs."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from djfast.cli.main import COMMANDS, command_parser
from djfast.records import NamedTuple


class Option(NamedTuple):
    """An option of a command, by all its spellings."""

    spellings: tuple[str, ...]
    takes_value: bool
    choices: tuple[str, ...]
    help: str


class Command(NamedTuple):
    """What may stand behind a command."""

    name: str
    options: tuple[Option, ...]
    words: tuple[str, ...]  # that its first argument is one of; none if that is a file
    takes_overrides: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", choices=tuple(_SCRIPTS))
    parser.epilog = (
        'bash: eval "$(djfast completion bash)" in ~/.bashrc; zsh: the same with zsh, after compinit; '
        "fish: djfast completion fish > ~/.config/fish/completions/djfast.fish"
    )


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print the script."""
    commands = [_command(name) for name in COMMANDS]
    print("\n".join(_SCRIPTS[options.shell](commands)))
    return 0


def _command(name: str) -> Command:
    module, parser = command_parser(name)
    options: dict[tuple[str, ...], Option] = {}
    words: tuple[str, ...] = ()
    parsers: list[argparse.ArgumentParser] = [parser]
    while parsers:
        for action in parsers.pop()._actions:
            choices = tuple(map(str, action.choices or ()))
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
            if action.option_strings:
                text = (action.help or "").replace("%%", "%")
                spellings = tuple(action.option_strings)
                options[spellings] = Option(spellings, action.nargs != 0, choices, text)
            elif not words:
                words = choices
    return Command(name, tuple(options.values()), words, getattr(module, "TAKES_OVERRIDES", False))


def _overrides() -> list[str]:
    """Options that every command on recipes takes: the global keys, and the parameters of OPs."""
    from djfast import catalog
    from djfast.recipe.keys import KEYS, USED

    keys = [f"--{key.name}" for key in KEYS.values() if key.treatment == USED and key.name != "process"]
    return keys + [f"--{spec.name}.{param.name}" for spec in catalog.all_specs() for param in spec.params]


def _op_names() -> list[str]:
    from djfast import catalog

    return sorted(catalog.names())


def _spellings(command: Command) -> str:
    return " ".join(spelling for option in command.options for spelling in option.spellings)


def _choice_cases(commands: list[Command], lists: str) -> Iterator[str]:
    """Yield cases of `COMMAND OPTION` for values that are chosen from a list."""
    for command in commands:
        for option in command.options:
            if option.choices:
                pattern = "|".join(f"'{command.name} {spelling}'" for spelling in option.spellings)
                yield f"    {pattern}) {lists.format(' '.join(option.choices))}; return ;;"
    yield f"    'ops show') {lists.format(' '.join(_op_names()))}; return ;;"


def _bash(commands: list[Command]) -> Iterator[str]:
    offer = "COMPREPLY=($(compgen -W '{}' -- \"$current\"))"
    yield '# Completion of djfast for bash: eval "$(djfast completion bash)"'
    yield f"_djfast_overrides='{' '.join(_overrides())}'"
    yield "_djfast() {"
    yield "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} offered= words="
    yield "  COMPREPLY=()"
    yield f"  if [ $COMP_CWORD = 1 ]; then {offer.format(' '.join(COMMANDS))}; return; fi"
    yield '  case "${COMP_WORDS[1]} $previous" in'
    yield from _choice_cases(commands, offer)
    yield "  esac"
    yield '  case "${COMP_WORDS[1]}" in'
    for command in commands:
        overrides = ' $_djfast_overrides"' if command.takes_overrides else '"'
        yield f"    {command.name}) offered=\"{_spellings(command)}{overrides} words='{' '.join(command.words)}' ;;"
    yield "  esac"
    yield '  case "$current" in'
    yield '    -*) COMPREPLY=($(compgen -W "$offered" -- "$current")) ;;'
    yield '    *) [ $COMP_CWORD != 2 ] || COMPREPLY=($(compgen -W "$words" -- "$current")) ;;'
    yield "  esac"
    yield "}"
    yield "complete -o default -F _djfast djfast"


def _zsh(commands: list[Command]) -> Iterator[str]:
    yield "#compdef djfast"
    yield '# Completion of djfast for zsh: eval "$(djfast completion zsh)" after compinit'
    yield f"_djfast_overrides=({' '.join(_overrides())})"
    yield "_djfast() {"
    yield "  local -a commands offered firsts"
    yield f"  commands=({' '.join(shlex.quote(f'{name}:{summary}') for name, summary in COMMANDS.items())})"
    yield "  if (( CURRENT == 2 )); then _describe command commands; return; fi"
    yield '  case "$words[2] $words[CURRENT-1]" in'
    yield from _choice_cases(commands, "compadd -- {}")
    yield "  esac"
    yield '  case "$words[2]" in'
    for command in commands:
        overrides = " $_djfast_overrides" if command.takes_overrides else ""
        yield f"    {command.name}) offered=({_spellings(command)}{overrides}); firsts=({' '.join(command.words)}) ;;"
    yield "  esac"
    yield '  if [[ "$PREFIX" == -* ]]; then compadd -a offered'
    yield "  elif (( CURRENT == 3 && $#firsts )); then compadd -a firsts"
    yield "  else _files; fi"
    yield "}"
    yield 'if [[ "$funcstack[1]" == _djfast ]]; then _djfast "$@"; else compdef _djfast djfast; fi'


def _fish(commands: list[Command]) -> Iterator[str]:
    yield "# Completion of djfast for fish: djfast completion fish > ~/.config/fish/completions/djfast.fish"
    for name, summary in COMMANDS.items():
        yield f"complete -c djfast -n __fish_use_subcommand -f -a {name} -d {_fish_quoted(summary)}"
    for command in commands:
        start = f"complete -c djfast -n '__fish_seen_subcommand_from {command.name}'"
        if command.words:
            first = f"{command.name}; and not __fish_seen_subcommand_from {' '.join(command.words)}"
            yield f"complete -c djfast -n '__fish_seen_subcommand_from {first}' -f -a '{' '.join(command.words)}'"
        for option in command.options:
            names = " ".join(f"-l {each[2:]}" if each.startswith("--") else f"-s {each[1:]}" for each in option.spellings)
            value = f" -x -a '{' '.join(option.choices)}'" if option.choices else " -r" if option.takes_value else ""
            yield f"{start} {names}{value} -d {_fish_quoted(option.help)}"
    on_recipes = " ".join(command.name for command in commands if command.takes_overrides)
    yield f"for option in {' '.join(name[2:] for name in _overrides())}"
    yield f"  complete -c djfast -n '__fish_seen_subcommand_from {on_recipes}' -l $option -r"
    yield "end"
    shows = "__fish_seen_subcommand_from ops; and __fish_seen_subcommand_from show"
    yield f"complete -c djfast -n '{shows}' -f -a '{' '.join(_op_names())}'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
