"""Where requests go and with which key, and how that is shown: never with the key."""

from __future__ import annotations

import base64
import os
import re
import urllib.request
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from djfast.errors import RecipeError
from djfast.type_names import spoken_type

_KEY_VARIABLES = ("OPENAI_API_KEY", "DASHSCOPE_API_KEY", "SK")
_BASE_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_URL", "DASHSCOPE_BASE_URL")
_TRUSTED_VARIABLE = "DJFAST_LLM_HOSTS"
_DEFAULT_BASE = "https://api.openai.com/v1"
_LONGEST_PATH = 16  # names in a response path
_EXCERPT = 200
_SHORTEST_TOKEN = 6  # of a value in a query that may be a secret; shorter ones are words of messages, too
_LONGEST_MESSAGE = 1 << 16


class Endpoint:
    """One address of a server.

    A recipe may come from anywhere, and the key must not go anywhere: the key of the environment is sent only to the host of
    ``OPENAI_BASE_URL`` (or its default) and to the hosts that ``DJFAST_LLM_HOSTS`` lists. A key given here goes
    with its address.

    Parameters
    ----------
    address : str
        A whole URL, or a path below the base URL: ``/chat/completions``.
    base_url : str, optional
        Instead of ``OPENAI_BASE_URL``.
    api_key : str, optional
        Instead of ``OPENAI_API_KEY``.

    Attributes
    ----------
    url : str
        What is called; without user and password, which go into a header.
    name : str
        Host and path: what the cache knows the endpoint by, and what messages show.

    Raises
    ------
    RecipeError
        If the address is none, or the key cannot be sent.
    """

    def __init__(self, address: str, *, base_url: str | None = None, api_key: str | None = None) -> None:
        trusted_base = _base_of_environment()
        base = _split(base_url, "base_url") if base_url else trusted_base
        if re.match(r"https?://", address, re.I):
            parts = _split(address, "api_endpoint")
        elif re.match(r"[a-z][a-z0-9+.-]*:", address, re.I) or not address.strip("/ "):
            shown = _without_password(address)
            raise RecipeError(f"api_endpoint must be a http(s) URL or a path such as /chat/completions, got {shown!r}")
        else:
            below = urlsplit("/" + address.lstrip("/"))
            parts = base._replace(path=base.path.rstrip("/") + below.path, query=below.query or base.query)
        key, source = (api_key, "api_key") if api_key else _key_of_environment()
        self._secrets: list[str] = []
        self._untrusted = False
        authorization = None
        if parts.username is not None:
            user, password = unquote(parts.username), unquote(parts.password or "")
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            self._secrets += [token, password, parts.password or "", *([] if password else [user])]
            authorization = f"Basic {token}"
        if key and not api_key and not _is_trusted(parts, trusted_base):
            self._untrusted = True
        elif key:
            if not re.fullmatch(r"[!-~]+", key):
                raise RecipeError(f"{source} must be printable ASCII without spaces, got {len(key)} characters")
            self._secrets.append(key)
            authorization = f"Bearer {key}"
        self.headers = {"Content-Type": "application/json", **({"Authorization": authorization} if authorization else {})}
        plain = parts._replace(netloc=_host(parts), fragment="")
        self.url = urlunsplit(plain)
        if plain.query:
            self._secrets += [plain.query, *(value for _, value in parse_qsl(plain.query) if len(value) >= _SHORTEST_TOKEN)]
        self.name = f"{plain.netloc}{plain.path}"
        self.origin = f"{plain.scheme}://{plain.netloc}"
        self.proxy = _proxy_of(plain.scheme, plain.netloc)
        if self.proxy and "@" in self.proxy:
            self._secrets += [self.proxy, urlsplit(self.proxy).password or ""]
        self._secrets = [secret for secret in self._secrets if secret]

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r})"

    def excerpt(self, text: str) -> str:
        """Return the beginning of what a server said, on one line, without what must not be shown."""
        text = text[:_LONGEST_MESSAGE]
        for secret in self._secrets:
            text = text.replace(secret, "***")
        line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _EXCERPT]).split())
        return line if len(line) <= _EXCERPT else line[:_EXCERPT] + "..."

    def remedy(self, status: int) -> str:
        """Return what the user can do about a refusal, with a leading semicolon; or nothing."""
        if status not in (401, 403):
            return ""
        if self._untrusted:
            return (
                "; the key of the environment is only sent to the host of OPENAI_BASE_URL and to those of "
                f"{_TRUSTED_VARIABLE}: set {_TRUSTED_VARIABLE}={self.name.partition('/')[0]} if you trust this one"
            )
        return "; set OPENAI_API_KEY" if "Authorization" not in self.headers else "; check OPENAI_API_KEY"


def walk(document: Any, path: str) -> Any:
    """Return the part of an answer that a dotted path leads to; digits index lists: ``choices.0.message.content``.

    Raises
    ------
    LookupError
        If there is nothing; the message says how far the path leads.
    """
    here, seen = document, "the answer"
    for name in path.split("."):
        if isinstance(here, list) and name.isdecimal() and int(name) < len(here):
            here = here[int(name)]
        elif isinstance(here, dict) and name in here:
            here = here[name]
        else:
            has = f"keys {', '.join(sorted(map(str, here))[:10])}" if isinstance(here, dict) else _kind(here)
            raise LookupError(f"response_path {path}: {seen} has no {name}, but {has}")
        seen = name
    if here is None:
        raise LookupError(f"response_path {path} leads to null")
    return here


def check_response_path(path: str) -> str:
    """Return the path.

    Raises
    ------
    RecipeError
        If it cannot lead anywhere.
    """
    names = path.split(".")
    if not all(names) or len(names) > _LONGEST_PATH:
        raise RecipeError(f"response_path must be names with dots between, such as choices.0.message.content, got {path!r}")
    return path


def _kind(value: Any) -> str:
    return f"is a list of {len(value)}" if isinstance(value, list) else f"is {spoken_type(value)}"


def _base_of_environment() -> SplitResult:
    for variable in _BASE_VARIABLES:
        if os.environ.get(variable, "").strip():
            return _split(os.environ[variable].strip(), variable)
    return urlsplit(_DEFAULT_BASE)


def _key_of_environment() -> tuple[str, str]:
    for variable in _KEY_VARIABLES:
        if os.environ.get(variable, "").strip():
            return os.environ[variable].strip(), variable
    return "", ""


def _is_trusted(parts: SplitResult, base: SplitResult) -> bool:
    """Whether the environment's key may go there. The base's host is trusted, but not without its encryption."""
    if _host(parts) in os.environ.get(_TRUSTED_VARIABLE, "").replace(",", " ").lower().split():
        return True
    return _host(parts) == _host(base) and parts.scheme in (base.scheme, "https")


def _split(url: str, what: str) -> SplitResult:
    """Split a URL; what is wrong with it is said without showing its password."""
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or re.search(r"[\s\x00-\x1f]", url):
        raise RecipeError(f"{what} must be a URL with http or https and a host, got {_without_password(url)!r}")
    return parts


def _without_password(url: str) -> str:
    return re.sub(r"//.*@", "//***@", url, flags=re.DOTALL)


def _host(parts: SplitResult) -> str:
    """Return host and port, without user and password."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port is None else f"{host}:{parts.port}"


def _proxy_of(scheme: str, host: str) -> str | None:
    proxy = urllib.request.getproxies().get(scheme)
    return proxy if proxy and not urllib.request.proxy_bypass(host) else None
