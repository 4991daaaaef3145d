"""The server, and an environment in which nothing is asked anywhere else or kept in the user's folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from djfast.llm import cache as caches
from djfast.llm.client import Client
from tests.llm.server import Server

KEY = "sk-test-0123456789-secret"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[Server]:
    """A server that echoes; tests set `respond`. The environment names it."""
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("OPENAI_API_URL", "DASHSCOPE_BASE_URL", "DASHSCOPE_API_KEY", "SK", "DJFAST_LLM_HOSTS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DJFAST_LLM_CACHE", str(tmp_path / "answers"))
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server
    for cache in caches._shared.values():
        cache.close()
    caches._shared.clear()


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.close()
