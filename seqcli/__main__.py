"""`python -m seqcli` does what `seqcli` does."""

from seqcli.cli.main import run

if __name__ == "__main__":
    run()
