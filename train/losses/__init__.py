"""What the discovery network is trained with."""
