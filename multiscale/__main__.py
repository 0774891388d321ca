"""``python -m multiscale``: the command line."""

from multiscale.cli import main

if __name__ == "__main__":
    main()
