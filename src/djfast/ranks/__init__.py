"""The processes of one job: who they are, how they talk, what happens when one is lost.

`Ranks` is the one interface; `Alone` is a process by itself, `MpiRanks` the processes that a launcher started. Nothing
else in the package knows MPI.
"""

from __future__ import annotations

from djfast.ranks.launcher import Launch, detect_launch
from djfast.ranks.messages import RankLost, Ranks


def connect(launch: Launch | None) -> Ranks:
    """Return the ranks of this job: those of the launcher, or this process alone.

    Raises
    ------
    MissingExtraError
        If a launcher started several processes and mpi4py is not installed.
    LaunchError
        If the launcher and the MPI library do not know each other, so that every process believes to be alone.
    """
    if launch is None:
        from djfast.ranks.alone import Alone

        return Alone()
    from djfast.ranks.mpi import connect_mpi

    return connect_mpi(launch)


__all__ = ["Launch", "RankLost", "Ranks", "connect", "detect_launch"]
