"""The networks: masked autoencoder, forgery discovery network, and both as one checkpoint."""
