from tests.llm.conftest import server  # noqa: F401 - a fixture
