"""`python -m train.forge`."""

from train.forge.corpus import main

if __name__ == "__main__":
    main()
