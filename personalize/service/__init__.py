"""The HTTP service: per-user styled images, slates, events, and the pages that show them."""
