"""The command line: `python -m release_core COMMAND`."""

from release_core.cli import main

if __name__ == "__main__":
    main()
