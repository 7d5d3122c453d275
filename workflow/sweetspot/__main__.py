"""`python -m sweetspot`: the command line, for jobs that know only their Python."""

import sys

from sweetspot.cli import main

if __name__ == "__main__":
    sys.exit(main())
