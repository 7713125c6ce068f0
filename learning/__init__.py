"""Where torch models live: backbones, reading, training, evaluation, genesis, the device profile.

Numpy arrays cross the boundary of this room, torch tensors do not. Begin with ``backbone``.
"""
