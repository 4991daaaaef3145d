"""When to stop asking a server that answers nobody.

Each server has a breaker. It opens when requests in a row find nobody there, or many in a row a server that is too busy for
them. While it is open one request at a time is let through, a probe, after longer and longer waits, and everything else is held
back. If a probe is answered, all goes on; if several probes in a row are not, the server is lost, and the run ends. A
server is lost as well when requests in a row are all refused, as with a wrong key.
"""

from __future__ import annotations

import enum

from djfast.records import NamedTuple


class Outcome(enum.Enum):
    """What one request showed about its server, whatever it means for the row."""

    ANSWERED = enum.auto()
    DECLINED = enum.auto()  # it refuses this request: the first ones tell of a wrong setting, later ones of their rows
    REFUSED = enum.auto()  # it would refuse other requests, too: a wrong key, a used-up quota, a wrong path
    BUSY = enum.auto()  # it is there, and may answer later
    AWAY = enum.auto()  # nobody is there


class Patience(NamedTuple):
    """How much is tried before a server is lost.

    Parameters
    ----------
    away, busy : int
        Requests in a row that find nobody, or are turned away for now, before only probes are sent.
    probes, first_probes, busy_probes : int
        Probes in a row that find nobody; the second where the server has never answered: then it is the address that is wrong,
        more often than the server that is being restarted. The third where they find it busy: limits hold for a minute.
    refused, first_refused : int
        Requests in a row that are refused, or given up after all their retries; the second where the server has never
        answered.
    """

    away: int = 8
    busy: int = 64
    probes: int = 6
    first_probes: int = 3
    busy_probes: int = 8
    refused: int = 64
    first_refused: int = 16


class Breaker:
    """What is known of one server. Used in one thread.

    Attributes
    ----------
    is_open : bool
        Whether only probes are sent.
    is_lost : bool
        Whether all that waits is to be given up. A later probe may still find the server.
    probes : int
        Probes in a row that were not answered.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._has_answered = False
        self._away = 0
        self._busy = 0
        self._refused = 0
        self.is_open = False
        self.is_lost = False
        self.probes = 0

    def note(self, outcome: Outcome, *, is_probe: bool, is_given_up: bool, is_alone: bool = True) -> None:
        """Take in what a request showed.

        Parameters
        ----------
        is_given_up : bool
            Whether it is not tried again.
        is_alone : bool
            Whether no other request is on its way, so that a busy server is not busy with those.
        """
        self._count(outcome, is_given_up=is_given_up)
        is_waited_for = self._away >= self._patience.away or self._busy >= self._patience.busy
        self.probes = self.probes + is_probe if is_waited_for else 0
        most = self._most(self._patience.probes, self._patience.first_probes)
        if outcome is Outcome.BUSY:
            most = self._patience.busy_probes
        is_spent = is_probe and (self.is_lost or self.probes >= most) and (is_alone or outcome is Outcome.AWAY)
        self.is_lost = is_waited_for and (self.is_lost or is_spent)
        if self._refused >= self._most(self._patience.refused, self._patience.first_refused):
            self.is_lost = True
        self.is_open = self.is_lost or is_waited_for

    def _count(self, outcome: Outcome, *, is_given_up: bool) -> None:
        """Count what came in a row."""
        if outcome is Outcome.AWAY:
            self._away += 1
            return
        self._away = 0
        self._busy = self._busy + 1 if outcome is Outcome.BUSY else 0
        if outcome is Outcome.ANSWERED or (outcome is Outcome.DECLINED and self._has_answered):
            self._refused = 0
            self._has_answered = True
        elif is_given_up:
            self._refused += 1

    def _most(self, later: int, first: int) -> int:
        return later if self._has_answered else first
