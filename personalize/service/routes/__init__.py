"""Endpoints, one module per subject: parse, call, answer."""
