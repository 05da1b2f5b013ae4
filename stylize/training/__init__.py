"""Training: from a folder of photos and a folder of style pictures to a checkpoint."""
