"""Which files and addresses rows may name: data may come from strangers, who must not read this machine or its network.

Rows may name files below the folders of the input and of what OPs save, and public addresses. Whoever runs the recipe opens
more: ``local_roots`` in the recipe, or ``DJFAST_LOCAL_ROOTS`` in the environment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO

from djfast.records import NamedTuple

VARIABLE = "DJFAST_LOCAL_ROOTS"
EVERYTHING = "*"
_ANY_ADDRESS = "(?i)[a-z][a-z0-9+.-]+://"
_PORTS = {"http": 80, "https": 443}
_EMBEDDED = ("64:ff9b::/96", "::/96")  # IPv6 with an IPv4 address at its end


class Access(NamedTuple):
    """What rows may name.

    Attributes
    ----------
    beside : tuple of str
        Folders of the input and of what OPs save. Files in them may be named, but nothing hidden: such a folder may be
        somebody's home.
    roots : tuple of str
        Folders that were opened, with all that is in them.
    hosts : frozenset of (str, int)
        Hosts and ports that were opened though they are not public.
    is_open : bool
        Everything was opened.
    """

    beside: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    hosts: frozenset[tuple[str, int]] = frozenset()
    is_open: bool = False

    @classmethod
    def of(cls, opened: Iterable[str], beside: Iterable[str]) -> Access:
        """Return what is open: entries of ``local_roots``, those of the environment, and the folders of a run.

        Raises
        ------
        ValueError
            If an entry is no folder and no address.
        """
        entries = [*opened, *os.environ.get(VARIABLE, "").split()]
        addresses = [each for each in entries if re.match(_ANY_ADDRESS, each)]
        folders = [each for each in entries if each not in addresses and each != EVERYTHING]
        near = (os.path.realpath(each) for each in beside)
        return cls(
            tuple(dict.fromkeys(each for each in near if each != os.sep)),
            tuple(os.path.realpath(os.path.expanduser(each)) for each in folders),
            frozenset(map(_host_and_port, addresses)),
            EVERYTHING in entries,
        )

    def path(self, named: str) -> str:
        """Return the path of a file that a row names; one that is not absolute may also be relative to the input.

        Raises
        ------
        PermissionError
            If rows may not name it.
        ValueError
            If it cannot be a path.
        """
        places = [named] if os.path.isabs(named) else [named, *(os.path.join(folder, named) for folder in self.beside)]
        known = [os.path.realpath(place) for place in places]
        allowed = [place for place in known if self._allows(place)]
        if not allowed:
            raise PermissionError(
                errno.EACCES,
                f"rows may not name files outside of the input's folder here; local_roots or {VARIABLE} opens others",
            )
        return next((place for place in allowed if os.path.exists(place)), allowed[0])

    def opened(self, named: str) -> IO[bytes]:
        """Open a file that a row names. A pipe is not waited for.

        Raises
        ------
        OSError, ValueError
        """
        # Links were followed already: who replaces the file by one in between gains nothing.
        flags = os.O_NONBLOCK | os.O_NOFOLLOW
        return open(self.path(named), "rb", opener=lambda path, given: os.open(path, given | flags))

    def _allows(self, path: str) -> bool:
        if self.is_open or any(_is_below(path, folder) for folder in self.roots):
            return True
        return any(_is_below(path, folder) and not _is_hidden(path[len(folder) :]) for folder in self.beside)

    def allows_host(self, host: str, port: int) -> bool:
        """Whether a host may be asked whatever its address is."""
        return self.is_open or (host.lower(), port) in self.hosts

    def check_address(self, url: str) -> None:
        """Check an address that a row or a server names, as far as it can be told without asking for the host's address.

        Raises
        ------
        PermissionError
            If it is not public.
        ValueError
            If it is no address.
        """
        host, port = _host_and_port(url)
        if self.allows_host(host, port):
            return
        # Systems read 127.1 and 2130706433 as addresses, too.
        if (":" in host or re.fullmatch(r"[0-9.]+", host)) and not is_public(host):
            raise refused_host()


def refused_host() -> PermissionError:
    """Return what is said of an address that is not public."""
    return PermissionError(errno.EACCES, f"its host has no public address; local_roots or {VARIABLE} opens http://HOST:PORT")


def is_public(address: str) -> bool:
    """Whether everybody may ask this IP address; one in an unusual form is not."""
    import ipaddress

    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is None and any(parsed in ipaddress.ip_network(each) for each in _EMBEDDED):
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return parsed.is_global and not parsed.is_multicast


def folder_of(path: str) -> str:
    """Return the folder that holds what an input's path names: a file, a folder, or a pattern."""
    plain = re.split(r"[*?\[]", path, maxsplit=1)[0]
    return plain if plain == path and os.path.isdir(path) else os.path.dirname(plain) or os.curdir


def _host_and_port(url: str) -> tuple[str, int]:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"it must be an http or https address with a host, got {url[:200]!r}")
    return parts.hostname, parts.port or _PORTS[parts.scheme]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _is_hidden(below: str) -> bool:
    return any(name.startswith(".") for name in below.split(os.sep))


_current: list[Access] = []


def current() -> Access:
    """Return what rows may name now; outside of a run, what lies in the working folder."""
    return _current[-1] if _current else Access.of((), (os.curdir,))


@contextlib.contextmanager
def holding(access: Access) -> Iterator[None]:
    """Let this hold while the block runs."""
    _current.append(access)
    try:
        yield
    finally:
        _current.remove(access)


def beside(inputs: Sequence[str], others: Sequence[str | None]) -> list[str]:
    """Return the folders of some inputs, and others that are given."""
    return [*map(folder_of, inputs), *(each for each in others if each)]
