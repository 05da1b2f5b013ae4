"""Many styles in one network: train it, keep it in one file, render photos with it."""
