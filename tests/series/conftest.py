import pytest


@pytest.fixture
def csv(tmp_path):
    """Write a file of the given text or bytes, and return its path."""

    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write
