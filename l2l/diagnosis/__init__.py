"""What is wrong with a meta-training, and what to do."""
