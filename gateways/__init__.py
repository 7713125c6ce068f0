"""The only doors out: the chain, IPFS, the key ring, and this process's own files."""
