"""Environment variables in the texts of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from djfast.errors import RecipeError
from djfast.redaction import Resolved, looks_secret, remember

# Only what starts like a name is taken, so `${2}` in a pattern stays as it is.
REFERENCE = r"(\$?)\$\{([A-Za-z_][^{}]*)\}"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"

ALLOWED = "DJFAST_RECIPE_ENV"
# What a recipe may read where the variable above is not set: places, and what a batch system says about the job.
_BY_DEFAULT = (
    "HOME USER LOGNAME PWD TMPDIR HOSTNAME SCRATCH WORK DATA DATA_* DATASET* INPUT* OUT OUT_* OUTPUT* NP THREADS SLURM_* "
    "DATA_JUICER_*"
)


class AllowedVariables(Mapping[str, str]):
    """The variables of a process that a recipe may read, which may come from a stranger.

    ``DJFAST_RECIPE_ENV`` lists names, and beginnings of names with a star behind them. A name that looks like that of a secret is
    allowed only by itself, never by a beginning.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._patterns = environment.get(ALLOWED, _BY_DEFAULT).replace(",", " ").split()

    def allows(self, name: str) -> bool:
        """Whether recipes may read a variable."""
        if name in self._patterns:
            return True
        value = self._environment.get(name, "")
        if looks_secret(name) or re.search(r"://[^/]*@", value):
            return False
        return any(each.endswith("*") and name.startswith(each[:-1]) for each in self._patterns)

    def __getitem__(self, name: str) -> str:
        """Return a value.

        Raises
        ------
        KeyError
            If the variable is not set.
        RecipeError
            If it is, and not allowed.
        """
        value = self._environment[name]
        if not self.allows(name):
            raise RecipeError(
                f"recipes may not read this environment variable here; {ALLOWED}={name} in the environment of the run allows it "
                f"(names and prefixes such as DATA_*, separated by spaces), got '${{{name}}}'"
            )
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._environment if self.allows(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def refers(text: str) -> bool:
    """Whether a text reads an environment variable."""
    return "${" in text and any(not match[1] for match in re.finditer(REFERENCE, text))


def interpolate(text: str, environment: Mapping[str, str]) -> str:
    """Replace `${NAME}`, `${NAME:-default}` and `${oc.env:NAME,default}`; `$${` stands for a plain `${`.

    A text that was changed is a `Resolved`, which is shown as it was written.

    Raises
    ------
    RecipeError
        If a variable without default is not set, or the braces hold something else.
    """
    if "${" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        inside = match[2]
        if inside.startswith("oc.env:"):
            name, separator, default = inside.removeprefix("oc.env:").partition(",")
            name, default = name.strip(), default.strip()
        else:
            name, separator, default = inside.partition(":-")
        if re.fullmatch(_NAME, name) is None:
            raise RecipeError(
                f"braces must contain the name of an environment variable, as in ${{NAME}} or ${{NAME:-default}} "
                f"(write $${{ for a plain ${{), got {match[0]!r}"
            )
        if separator:
            # As in a shell, a default also stands in for a variable that is set but empty.
            return remembered(name, environment.get(name)) or default
        found = remembered(name, environment.get(name))
        if found is None:
            raise RecipeError(f"the environment variable is not set and there is no default, got {match[0]!r}")
        return found

    def remembered(name: str, found: str | None) -> str | None:
        if found is not None:
            remember(name, found)
        return found

    return Resolved(re.sub(REFERENCE, value, text), text) if refers(text) else re.sub(REFERENCE, value, text)


def escaped(text: str) -> str:
    """Return what `interpolate` turns into the text again."""
    return re.sub(REFERENCE, lambda match: f"${match[0]}", text) if "${" in text else text
