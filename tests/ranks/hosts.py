"""Two hosts on one machine: network namespaces, joined by a pair of virtual network interfaces."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.ranks.launching import installed_mpirun

AGENT = Path(__file__).with_name("host_agent.sh")
_NETWORK = "10.77.0"


class Hosts:
    """Two hosts that see the same files and reach each other by one link."""

    def __init__(self) -> None:
        self.names = [f"dj{os.getpid()}{letter}" for letter in "ab"]

    def up(self) -> None:
        a, b = self.names
        for name in self.names:
            _ip("netns", "add", name)
        _ip("link", "add", "va", "netns", a, "type", "veth", "peer", "name", "vb", "netns", b)
        known = "127.0.0.1 localhost\n" + "".join(f"{_NETWORK}.{i} {name}\n" for i, name in enumerate(self.names, 1))
        for i, name in enumerate(self.names, 1):
            _ip("-n", name, "addr", "add", f"{_NETWORK}.{i}/24", "dev", self.link(name))
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", self.link(name), "up")
            _settings(name).mkdir(parents=True)
            (_settings(name) / "hosts").write_text(known)

    def down(self) -> None:
        """End every process of the hosts and take the hosts away, whatever there is of them."""
        for name in self.names:
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                self.crash(name)
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                _ip("netns", "del", name)
            shutil.rmtree(_settings(name), ignore_errors=True)

    def crash(self, name: str) -> None:
        """End all processes of a host at once."""
        for process in _ip("netns", "pids", name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)

    def cut(self) -> None:
        """Take the link away."""
        _ip("-n", self.names[0], "link", "set", self.link(self.names[0]), "down")

    def link(self, name: str) -> str:
        return "va" if name == self.names[0] else "vb"

    def bytes_over_link(self) -> tuple[int, int]:
        """Bytes that the first host has received and sent."""
        [link] = json.loads(_ip("-n", self.names[0], "-s", "-j", "link", "show", "va"))
        return link["stats64"]["rx"]["bytes"], link["stats64"]["tx"]["bytes"]

    def mpirun(self, command: Sequence[str], *, each: int) -> list[str]:
        """Return the command that starts `each` ranks on every host from the first one."""
        places = ",".join(f"{name}:{each}" for name in self.names)
        launcher = installed_mpirun()
        assert launcher is not None, "there is no mpirun"
        if launcher.is_open_mpi:
            network = f"{_NETWORK}.0/24"
            flags = ["--host", places, "--bind-to", "none", "--with-ft", "ulfm"]
            flags += ["--prtemca", "plm_ssh_agent", str(AGENT), "--prtemca", "prte_if_include", network]
            for name, value in (
                ("pml", "ob1"), ("btl", "self,sm,tcp"), ("osc", "^ucx"), ("btl_tcp_if_include", network),
                ("mpi_ft_detector", "true"),
                ("mpi_ft_detector_period", "0.5"), ("mpi_ft_detector_timeout", "3"),
            ):  # fmt: skip
                flags += ["--mca", name, value]
        else:
            flags = ["-launcher", "ssh", "-launcher-exec", str(AGENT), "-iface", "va", "-hosts", places]
        line = [launcher.path, *flags, "-n", str(2 * each), *command]
        return [str(AGENT), self.names[0], shlex.join(line)]


@contextlib.contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Two hosts for the time of a test."""
    hosts = Hosts()
    try:
        hosts.up()
        yield hosts
    finally:
        hosts.down()


def why_no_hosts() -> str | None:
    """Return why this machine cannot play two hosts, None if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "unshare"):
        if shutil.which(tool) is None:
            return f"there is no {tool} command"
    if installed_mpirun() is None:
        return "there is no mpirun"
    name = f"dj{os.getpid()}try"
    try:
        _ip("netns", "add", name)
        try:
            subprocess.run([AGENT, name, "true"], check=True, capture_output=True, timeout=10)
        finally:
            _ip("netns", "del", name)
    except subprocess.SubprocessError as error:
        said = getattr(error, "stderr", None) or b""
        return f"network namespaces are not allowed here: {said.decode(errors='replace').strip() or error}"
    return None


def _settings(name: str) -> Path:
    return Path("/etc/netns") / name  # `ip netns exec` puts the files here over those in /etc


def _ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=10).stdout
