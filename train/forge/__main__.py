"""`python -m train.forge`."""

import sys

from train.forge.corpus import main

if __name__ == "__main__":
    sys.exit(main())
