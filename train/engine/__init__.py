"""What every training run needs: checkpoints of its state, ranks, cost."""
