"""The twins' own tests, run without a GPU: a simulator runs each thread of a kernel in Python, see simulator.py."""


def test_twins_agree_in_the_simulator(simulated):
    assert " passed" in simulated or "100%" in simulated
    assert "skipped" not in simulated
