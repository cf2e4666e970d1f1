"""`python -m tests.simulation --seeds 200`: the same as `sfa simulate`."""

from sfa.app.cli_simulate import simulate

if __name__ == "__main__":
    simulate()
