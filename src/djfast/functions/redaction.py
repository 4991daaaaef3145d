"""Placeholders for what tells of a person or opens a door."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from djfast.errors import RecipeError
from djfast.functions.patterns import BoundedPattern
from djfast.functions.rows import Row, path_of
from djfast.logs import logger
from djfast.records import NamedTuple

_LOG = logger("functions")

_WALKED = frozenset(("file_path", "path", "file", "arguments", "file_paths"))  # texts of these names are redacted everywhere
_DIALOGUE_FIELDS = ("query", "response")

_PEM_END = re.compile(r"-----END [A-Z0-9 -]+-----")


class _Kind(NamedTuple):
    """One pattern of a kind of things to replace.

    `may_hold` gets a text and its case-folded form and says quickly whether it is worth a search; it errs on the side of yes.
    `kept` is what of a match stays before the placeholder, as a template.
    """

    kind: str
    pattern: re.Pattern[str]
    may_hold: Callable[[str, str], bool]
    kept: str = ""


def _has(*parts: str) -> Callable[[str, str], bool]:
    return lambda text, folded: any(part in text for part in parts)


def _has_folded(*parts: str) -> Callable[[str, str], bool]:
    """Look in the case-folded text. No part has an i: some letters that match an i without regard to case fold otherwise."""
    return lambda text, folded: any(part in folded for part in parts)


def _finds(pattern: str) -> Callable[[str, str], bool]:
    """Search for a part of the pattern that begins with few characters: such a search is ten times faster."""
    search = re.compile(pattern).search
    return lambda text, folded: search(text) is not None


_PATH_START = r"""(^|[\s"'(\[=])"""
_PATH_REST = r"""[^\s"')\]]*"""

# In the order in which they are applied.
_KINDS = (
    _Kind("pem", re.compile(r"-----BEGIN [A-Z0-9 -]+-----[\s\S]*?-----END [A-Z0-9 -]+-----"), _has("-----END ")),
    _Kind("jwt", re.compile(r"\beyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\b"), _has("eyJ")),
    _Kind("url", re.compile(r"""https?://[^\s"'<>]+"""), _has("://")),
    _Kind(
        "ip",
        re.compile(r"(?<![0-9.])(?:(?:25[0-5]|2[0-4]\d|[01]?\d\d?)\.){3}(?:25[0-5]|2[0-4]\d|[01]?\d\d?)(?![0-9])"),
        _finds(r"\d\.\d{1,3}\.\d"),
    ),
    _Kind("ip", re.compile(r"\[[0-9a-fA-F:.]{3,}\](?::\d{1,5})?\b"), _has("[")),
    _Kind(
        "mac",
        re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b"),
        _finds(r"[:-][0-9A-Fa-f]{2}[:-]"),
    ),
    _Kind(
        "path",
        re.compile(rf"{_PATH_START}(/(?:Users?|home|tmp|etc|var|opt|Applications){_PATH_REST})"),
        _has("/User", "/home", "/tmp", "/etc", "/var", "/opt", "/Applications"),
        r"\g<1>",
    ),
    _Kind("path", re.compile(rf"{_PATH_START}([A-Za-z]:\\{_PATH_REST})"), _has(":\\"), r"\g<1>"),
    _Kind("path", re.compile(rf"""{_PATH_START}(\\\\[^\s"')\]]+)"""), _has("\\\\"), r"\g<1>"),
    _Kind("email", re.compile(r"[a-zA-Z0-9][\w.+-]*@[\w.-]+\.(?:[a-zA-Z]{2,}|\w{2,})"), _has("@")),
    _Kind(
        "secret",
        re.compile(
            r"(\b(?:api[_-]?key|apikey|secret|password|passwd|token|auth|authorization|credential|license[_-]?key)"
            r"""\s*[:=]\s*["']?)([^\s"',}\]]+)""",
            re.IGNORECASE,
        ),
        _has_folded("key", "secret", "passw", "token", "auth", "credent"),
        r"\g<1>",
    ),
    _Kind(
        "id",
        re.compile(
            r"""\b(session[_-]?id|user[_-]?id|request[_-]?id|trace[_-]?id)\s*[:=]\s*["']?[\w.-]+""", re.IGNORECASE
        ),
        _has_folded("sess", "user", "request", "trace"),
        r"\g<1>",
    ),
    _Kind(
        "channel_id",
        re.compile(
            r"""((?:channel\s*[:=]\s*["']?|当前的\s*channel\s*[:：]\s*))"""
            r"(?:feishu|dingtalk|wecom|wechat_work|email|mail|飞书|钉钉|企业微信|邮箱)\b",
            re.IGNORECASE,
        ),
        _has_folded("channel"),
        r"\g<1>",
    ),
    _Kind("open_id", re.compile(r"\bou_[0-9a-f]{32}\b", re.IGNORECASE), _has_folded("ou_")),
    _Kind("open_id", re.compile(r"\b(ou_|u_|uid_)[0-9a-zA-Z_-]{16,64}\b"), _has("u_", "uid_")),
    _Kind("phone", re.compile(r"\b1[3-9]\d{9}\b"), _finds(r"1[3-9]\d{9}")),
    _Kind("phone", re.compile(r"\+\d{1,4}[-.\s]?\d{6,14}\b"), _has("+")),
    _Kind(
        "id_card",
        re.compile(r"\b[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]\b"),
        _finds(r"(?:19|20)\d\d[01]\d[0-3]\d{4}"),
    ),
)

Replace = Callable[[str], str]
Step = tuple[Callable[[str, str], bool], Replace]


def bind_redacted_row(
    text_key: str,
    placeholders: Iterable[tuple[str, str]],
    extra_patterns: Sequence[tuple[str, str]],
    redact_keys: Sequence[str] | None,
    messages_key: str | None,
    media_keys: Sequence[str],
) -> Callable[[Row], Row]:
    """Return the function that redacts a row.

    Parameters
    ----------
    placeholders : iterable of (str, str)
        Kinds to replace, and the template of what takes their place.
    extra_patterns : sequence of (str, str)
        Patterns of the user and their templates.
    redact_keys : sequence of str or None
        Fields whose texts are redacted; None takes the usual ones.
    media_keys : sequence of str
        Fields that stay as they are.

    Returns
    -------
    Callable[[Row], Row]
        Raises TimeoutError for a text that a pattern of the user needs too long for.

    Raises
    ------
    RecipeError
        If a template is not valid.
    """
    redact = _redaction(dict(placeholders), extra_patterns)
    usual = (text_key, *_DIALOGUE_FIELDS, *([messages_key] if messages_key else []))
    keys = usual if redact_keys is None else redact_keys
    left_alone = frozenset(media_keys)

    def redacted_row(row: Row) -> Row:
        for key in keys:
            *outer, name = path_of(row, key)
            holder: Any = row
            for step in outer:
                holder = holder.get(step) if isinstance(holder, dict) else None
            if not isinstance(holder, dict):
                continue
            if isinstance(holder.get(name), str):
                holder[name] = redact(holder[name])
            elif key == messages_key and isinstance(holder.get(name), list):
                _redact_messages(holder[name], redact)
        for name, value in row.items():
            if not name.startswith("__dj__") or name.endswith("__"):  # other reserved fields are hashes
                row[name] = walked(name, value)
        return row

    def walked(name: str, value: Any) -> Any:
        if isinstance(value, str):
            return redact(value) if name in _WALKED else value
        if isinstance(value, dict):
            return {inner: walked(inner, each) for inner, each in value.items()}
        return elements(value) if isinstance(value, list) and name not in left_alone else value

    def elements(values: list[Any]) -> list[Any]:
        return [
            redact(each) if isinstance(each, str) else elements(each) if isinstance(each, list) else walked("", each)
            for each in values
        ]

    return redacted_row


def _redact_messages(messages: list[Any], redact: Replace) -> None:
    """Redact the contents of messages and the arguments of their tool calls."""
    for message in messages:
        if not isinstance(message, dict):
            continue
        _redact_members(message, ("content",), redact)
        for block in _mappings(message.get("content")):
            _redact_members(block, ("text", "content"), redact)
        for tool_call in _mappings(message.get("tool_calls")):
            for holder in (tool_call, tool_call.get("function")):
                _redact_members(holder, ("arguments",), redact)


def _mappings(values: Any) -> list[Row]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def _redact_members(holder: Any, names: Sequence[str], redact: Replace) -> None:
    for name in names:
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            holder[name] = redact(holder[name])


def _redaction(placeholders: dict[str, str], extra_patterns: Sequence[tuple[str, str]]) -> Replace:
    """Return the function that redacts a text."""
    steps: list[Step] = [
        (kind.may_hold, _replacement(kind, placeholders[kind.kind])) for kind in _KINDS if kind.kind in placeholders
    ]
    for pattern, template in extra_patterns:
        by_user = _replacement_by_user(pattern, template)
        if by_user is not None:
            steps.append((lambda text, folded: True, by_user))

    def redact(text: str) -> str:
        folded = text.casefold()
        for may_hold, change in steps:
            if may_hold(text, folded):
                changed = change(text)
                if changed != text:
                    text, folded = changed, changed.casefold()
        return text

    return redact


def _replacement(kind: _Kind, placeholder: str) -> Replace:
    pattern, template = kind.pattern, kind.kept + placeholder
    try:
        # A template is read at the first match: with one more, empty alternative even the empty text has one.
        re.compile(pattern.pattern + "|", pattern.flags).sub(template, "")
    except (re.error, IndexError) as error:
        raise RecipeError(f"{kind.kind}_replacement must be a valid template ({error}), got {placeholder!r}") from None
    if kind.kind == "email":
        return lambda text: _with_emails_replaced(text, pattern, template)
    if kind.kind == "pem":
        return lambda text: _with_blocks_replaced(text, pattern, template)
    return lambda text: pattern.sub(template, text)


def _with_emails_replaced(text: str, pattern: re.Pattern[str], template: str) -> str:
    """Replace addresses in a time that grows with the length of the text alone, other than a search for the pattern.

    A match has an @, and begins at the first letter or digit of what may stand before it: where that fails, so does every
    later beginning. So the text is read backwards from each @, instead of forwards from each letter of a long line.
    """
    parts = []
    done = 0
    at = text.find("@")
    while at >= 0:
        start = at
        while start > done and (text[start - 1].isalnum() or text[start - 1] in "_.+-"):
            start -= 1
        while start < at and not (text[start].isascii() and text[start].isalnum()):
            start += 1
        found = pattern.match(text, start) if start < at else None
        if found is not None:
            parts += [text[done:start], found.expand(template)]
            done = found.end()
        at = text.find("@", max(at + 1, done))
    return "".join([*parts, text[done:]])


def _with_blocks_replaced(text: str, pattern: re.Pattern[str], template: str) -> str:
    """Replace blocks up to the last end of one, lest every beginning behind it is searched for an end."""
    ends = [found.end() for found in _PEM_END.finditer(text)]
    return pattern.sub(template, text[: ends[-1]]) + text[ends[-1] :] if ends else text


def _replacement_by_user(pattern: str, template: str) -> Replace | None:
    try:
        compiled = BoundedPattern(pattern, "extra_patterns")
    except RecipeError as error:
        _LOG.warning("extra_patterns: a pattern is left out: %s", error)
        return None
    compiled.check_template(template, "extra_patterns")
    return lambda text: compiled.sub(template, text)
