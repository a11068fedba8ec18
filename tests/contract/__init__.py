"""What is published, and every implementation of one port."""
