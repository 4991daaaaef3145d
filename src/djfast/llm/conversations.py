"""Conversations of many rows at once: each row is a generator that asks and gets answers.

A row's function is written as if it were alone::

    def judge(row):
        answer = yield Ask([{"role": "user", "content": row["text"]}])
        more = yield Ask(...answer.text...)
        return more.text

`converse` runs the generators of a batch together: while one waits for its answer, the others ask. Which row goes on first
depends on the server; what a row gets does not, since it sees its own answers only.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, TypeVar

from djfast.errors import IncompleteAnswerError, NoAnswerError, Preempted, ServerLostError, UnusableAnswerError
from djfast.llm.asking import Ask, Failure, LanguageModel, Question, Reply
from djfast.llm.interrupts import interruptible, is_interrupted
from djfast.logs import logger
from djfast.records import NamedTuple
from djfast.type_names import spoken_type

_LOG = logger("llm")
Result = TypeVar("Result")
Conversation = Generator[Any, Any, Result]
"""Yields an `Ask` and receives its `Answer` or `Failure`, or yields a list of asks and receives a list.

It may yield `UNUSABLE` in between, once for each answer of which it could make nothing, so that these are counted.
"""

UNUSABLE = object()
"""What a conversation yields about an answer that it could not use; it receives None at once."""

MOST_TURNS = 1000
"""Questions after one another in one conversation; more are a loop without end."""


def converse(model: LanguageModel, conversations: Iterable[Conversation[Result]], *, usage_of: str) -> list[Result | Exception]:
    """Run conversations to their ends, many questions at the same time.

    Returns
    -------
    list
        What each conversation returned or, in its place, the exception that it raised; one never touches another.

    Raises
    ------
    Preempted
        If the run was stopped meanwhile. The conversations are closed then.
    ServerLostError
        If the model cannot be asked any more.
    """
    rows = [_Row(conversation) for conversation in conversations]
    results: list[Any] = [None] * len(rows)
    replies: queue.SimpleQueue[tuple[_Round, _Pending, Reply]] = queue.SimpleQueue()
    rounds: set[_Round] = set()

    def cancel_all() -> None:
        for each in tuple(rounds):
            each.cancel()

    def ask(questions: list[_Pending]) -> None:
        if not questions:
            return
        sent = _Round(len(questions))
        rounds.add(sent)
        sent.cancel = model.begin(
            [each.question for each in questions], lambda at, reply: replies.put((sent, questions[at], reply))
        )
        if is_interrupted():  # the interrupt may have come between the two
            sent.cancel()

    try:
        with interruptible(cancel_all):
            numbers = range(len(rows))
            ask([question for number in numbers for question in _advanced(model, rows, number, results, usage_of)])
            while rounds:
                questions: list[_Pending] = []
                is_stopped = False
                for sent, pending, reply in _arrived(replies):
                    sent.open -= 1
                    if not sent.open:
                        rounds.discard(sent)
                    if isinstance(reply, Failure) and reply.is_interrupted:
                        is_stopped = True  # what came before that is still kept for the rerun
                        continue
                    model.settle(pending.question, reply, usage_of=usage_of)
                    row = rows[pending.row]
                    row.replies[pending.position] = reply
                    row.open -= 1
                    if not row.open:
                        questions += _advanced(model, rows, pending.row, results, usage_of)
                if is_stopped:
                    raise Preempted()
                ask(questions)
    finally:
        cancel_all()
        for row in rows:
            row.close()
    return results


def tries(
    ask: Ask, parse: Callable[[str], Result], *, try_num: int, takes_beginning: bool = False
) -> Generator[Any, Any, Result]:
    """Ask up to `try_num` times until an answer can be used; to be called by ``yield from`` in a conversation.

    Tries are numbered on from that of `ask`.

    Parameters
    ----------
    parse : callable
        Returns what the answer means, or raises ValueError when it is not usable. A server that gives no answer is not asked
        again here: the client has retried already.
    takes_beginning : bool
        Whether `parse` also gets the beginning of an answer that was cut off.

    Raises
    ------
    UnusableAnswerError
        If no answer was usable; with the reason for the last.
    NoAnswerError
        If there was no answer, or the last one was incomplete.
    """
    reason: Exception | None = None
    for number in range(ask.try_number, ask.try_number + try_num):
        reply = yield ask._replace(try_number=number)
        try:
            return parse(text_of(reply, takes_beginning=takes_beginning))
        except (ValueError, IncompleteAnswerError) as error:
            reason = error
        yield UNUSABLE
    raise unusable_after(try_num, reason) from reason


def text_of(reply: Reply, *, takes_beginning: bool) -> str:
    """Return an answer's text; with `takes_beginning` also what there is of an incomplete one."""
    return (takes_beginning and reply.beginning) or reply.text


def unusable_after(try_num: int, reason: Exception | None) -> Exception:
    """Return the error of a row whose last answer could not be used.

    An answer in the wrong form has its default in most OPs. One that did not come to its end is like none at all: it says
    nothing about the row, and what would help is another setting.
    """
    kind = NoAnswerError if isinstance(reason, IncompleteAnswerError) else UnusableAnswerError
    return kind(f"no answer could be used in {try_num} tries: {reason}")


class _Pending(NamedTuple):
    """One question, and which row's reply it gives."""

    row: int
    position: int
    question: Question


class _Round:
    """Questions that were sent together: how many are open, and what gives them up."""

    __slots__ = ("cancel", "open")

    def __init__(self, open_questions: int) -> None:
        self.open = open_questions
        self.cancel: Callable[[], None] = lambda: None


class _Row:
    """One conversation: what its last question got so far, and how many replies are open."""

    __slots__ = ("conversation", "is_list", "open", "replies", "turns")

    def __init__(self, conversation: Conversation[Any]) -> None:
        self.conversation = conversation
        self.replies: list[Any] = []
        self.open = 0
        self.turns = 0
        self.is_list = False

    def next_questions(self, model: LanguageModel, usage_of: str) -> list[Question]:
        """Hand over what was asked for, and return what is asked next. What cannot be asked is this row's fault alone.

        Raises
        ------
        StopIteration
            With the result, when the conversation is over.
        """
        if self.turns == MOST_TURNS:
            raise RuntimeError(f"a conversation must end within {MOST_TURNS} questions")
        received = None if not self.turns else list(self.replies) if self.is_list else self.replies[0]
        asked = self.conversation.send(received)
        while asked is UNUSABLE:
            model.count_unusable(usage_of=usage_of)
            asked = next(self.conversation)
        self.turns += 1
        self.is_list = isinstance(asked, list)
        asks = asked if isinstance(asked, list) else [asked]
        for each in asks:
            if not isinstance(each, Ask):
                raise TypeError(f"a conversation must yield an Ask or a list of them, got {spoken_type(each)}")
        questions = [model.prepare(each) for each in asks]
        self.replies = [None] * len(asks)
        self.open = len(asks)
        return questions

    def close(self) -> None:
        """End the conversation where it stands. What it still raises then concerns nobody."""
        try:
            self.conversation.close()
        except Exception as error:
            _LOG.debug("a conversation raised while it was closed: %s", error)


def _advanced(
    model: LanguageModel, rows: Sequence[_Row], number: int, results: list[Any], usage_of: str
) -> list[_Pending]:
    """Let one conversation go on until it asks or ends; return its questions."""
    row = rows[number]
    try:
        while not (questions := row.next_questions(model, usage_of)):
            pass  # an empty list asks nothing and gets an empty list
        return [_Pending(number, position, each) for position, each in enumerate(questions)]
    except StopIteration as stop:
        results[number] = stop.value
    except (Preempted, ServerLostError):
        raise
    except Exception as error:
        results[number] = error
        row.close()
    return []


def _arrived(replies: queue.SimpleQueue[tuple[_Round, _Pending, Reply]]) -> list[tuple[_Round, _Pending, Reply]]:
    """Wait for a reply, and return it with all that came meanwhile: their next questions are then sent together."""
    arrived = [replies.get()]
    while True:
        try:
            arrived.append(replies.get_nowait())
        except queue.Empty:
            return arrived
