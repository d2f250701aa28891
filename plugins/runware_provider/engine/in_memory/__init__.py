"""Questions without a dataset: asked by the same exchange, judged alike, kept nowhere."""
