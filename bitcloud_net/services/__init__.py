"""What runs as long as the node runs."""
