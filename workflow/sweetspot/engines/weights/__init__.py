"""Where weights come from: a checkpoint, or random ones for an architecture.

`weights.model_weights` is what an engine loads, and what records say of it; `checkpoint` finds and
checks folders of weights, `random_model` writes the config.json of a model that has none.
"""
