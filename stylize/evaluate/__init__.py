"""How good a checkpoint is: closeness to the styles, readability of the product, artefacts."""
