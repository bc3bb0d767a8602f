"""`python -m train.evaluate`."""

from train.evaluate.evaluation import main

if __name__ == "__main__":
    main()
