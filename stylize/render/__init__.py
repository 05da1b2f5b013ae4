"""Rendering: photos and style mixtures in, pictures out."""
