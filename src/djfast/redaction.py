"""What must never stand in a message: passwords, tokens and keys of other services."""

from __future__ import annotations

import re
from typing import Any

# Names of parameters are narrower than names inside a mapping: `text_key` and `max_tokens` are no secrets, but in a mapping of
# credentials nearly everything is.
_ALWAYS = r"passw|(^|[_-])pwd$|passphrase|secret|credential|authorization|(^|[_-])(cookie|bearer|organization|headers$)"
_SECRET_PARAMETER = (
    rf"(?i){_ALWAYS}|(api|access|private|signing)[_-]?key|(^|(auth|session|access|api|hf|refresh|id|bearer)[_-]?)token$"
)
_SECRET_ENTRY = rf"(?i){_ALWAYS}|key|token|(^|[_-])(auth|sig(nature)?)$"
_SECRET_IN_QUERY = rf"{_SECRET_ENTRY}|^(code|access|ticket|pat|sas|jwt|otp|pin|pass|pw)$"
_SECRET_VARIABLE = (
    rf"(?i){_ALWAYS}|key|token|(^|_)(auth|pat|pass|dsn|sas|sig|sk|pw|pin|otp|jwt|cert|private|login|session)(_|$)"
)
_USER = r"(?i)(?<=://)[^/?#\s'\"]*@"
_QUERY = r"(?i)(?<=[?&;#])([\w.~%-]+)=([^&;#\s'\"]+)"
_LEAST_CHARACTERS = 4  # of a value that is looked for in messages
_LEAST_OF_SECRETS = 8  # of one that the recipe names: in place of keys there may be words

_remembered: dict[str, str] = {}


def is_secret(name: str) -> bool:
    """Whether the value of this parameter must not be shown."""
    return re.search(_SECRET_PARAMETER, name) is not None


def is_secret_entry(name: str) -> bool:
    """Whether the value of this part of an address's query must not be shown."""
    return re.search(_SECRET_IN_QUERY, name) is not None


def looks_secret(variable: str) -> bool:
    """Whether an environment variable of this name probably holds a secret."""
    return re.search(_SECRET_VARIABLE, variable) is not None


def remember(variable: str, value: str) -> None:
    """Keep the value of an environment variable out of all messages from now on; paths are no secrets."""
    if len(value) >= _LEAST_CHARACTERS and not value.startswith(("/", "./", "../", "~")) and not value.isdecimal():
        _remembered[value] = f"${{{variable}}}"


def safe(text: str) -> str:
    """Return a text as it may be shown: no users, passwords and keys in addresses, no values of environment variables."""
    if "://" in text:
        text = re.sub(_USER, "", text)
        text = re.sub(_QUERY, lambda found: f"{found[1]}=***" if is_secret_entry(found[1]) else found[0], text)
    for value, reference in _remembered.items():
        if value in text:
            text = text.replace(value, reference)
    return text


def all_safe(value: Any) -> Any:
    """Return a JSON value with all its texts safe."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, dict):
        return {name: all_safe(each) for name, each in value.items()}
    return [all_safe(each) for each in value] if isinstance(value, list | tuple) else value


def on_one_line(text: str) -> str:
    """Return a safe text with control characters escaped: data must not move a terminal's cursor or forge a line."""
    text = safe(text)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def lines_of(text: str) -> str:
    """Return the same of a message of several lines."""
    return "\n".join(map(on_one_line, text.split("\n")))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def redacted(value: Any) -> Any:
    """Return the value with what looks like a secret in its mappings replaced by ``***``."""
    if isinstance(value, Resolved):
        return value.written
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, dict):
        return {name: "***" if re.search(_SECRET_ENTRY, str(name)) else redacted(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(each) for each in value]
    return value


class Secret(str):
    """A text that is not shown where plans, OPs or errors are, nor in messages of others."""

    __slots__ = ()

    def __new__(cls, text: str) -> Secret:
        """Keep it out of all messages from now on."""
        if len(text) >= _LEAST_OF_SECRETS:
            _remembered.setdefault(str(text), "***")
        return super().__new__(cls, text)

    def __repr__(self) -> str:
        """Return stars."""
        return "'***'"


class Resolved(str):
    """A text with values of environment variables in it. Plans, records and errors show it as it was written."""

    written: str

    def __new__(cls, text: str, written: str) -> Resolved:
        """Keep both."""
        made = super().__new__(cls, text)
        made.written = written
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Return what a copy is made of."""
        return str(self), self.written

    def __repr__(self) -> str:
        """Return what was written."""
        return repr(self.written)


def guarded(value: Any) -> Any:
    """Return the value with the texts of its mappings that look like secrets as `Secret`."""
    if isinstance(value, dict):
        return {
            name: Secret(each) if isinstance(each, str) and is_secret(str(name)) else guarded(each)
            for name, each in value.items()
        }
    return [guarded(each) for each in value] if isinstance(value, list) else value


def shown(value: Any) -> Any:
    """Return the value as it may be shown: no secrets, variables of the environment by name."""
    if isinstance(value, Secret):
        return "***"
    if isinstance(value, Resolved):
        return value.written
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, dict):
        return {name: "***" if is_secret(str(name)) and each is not None else shown(each) for name, each in value.items()}
    return type(value)(shown(each) for each in value) if type(value) in (list, tuple) else value
