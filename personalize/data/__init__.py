"""What is stored and how it is read: schema, catalogue, events, experiments, model registry."""
