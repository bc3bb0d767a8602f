"""The viewer: one component and one clock for video, curves, heat, lanes and table."""
