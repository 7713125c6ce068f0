// The local chain. It needs no compiler: contracts/ is compiled by scripts/compile_contracts.py.
"use strict";

/** @type {import("hardhat/config").HardhatUserConfig} */
module.exports = {
  solidity: "0.8.37",
  networks: {
    hardhat: {
      chainId: 31337,
      accounts: { count: 20, accountsBalance: "1000000000000000000000000" },
    },
  },
};
