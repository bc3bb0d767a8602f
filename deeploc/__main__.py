"""`python -m deeploc`."""

import sys

from deeploc.cli.analyse import main

if __name__ == "__main__":
    sys.exit(main())
