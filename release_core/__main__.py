"""The command line: `python -m release_core COMMAND`."""

from release_core.cli import commands, main
from release_core.live import live

commands.add_command(live)

if __name__ == "__main__":
    main()
