"""Sample documents and support messages with known answers, made from a seed.

From a shell: ``python -m runware_provider.testing.samples OUT_DIR``.
"""
