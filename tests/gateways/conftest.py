from tests.fixtures_ipfs import ipfs_swarm

__all__ = ["ipfs_swarm"]
