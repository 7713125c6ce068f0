// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {Endings} from "./Endings.sol";
import {IFedRx} from "./interfaces/IFedRx.sol";

/// @title The suite as deployed
/// @notice See `IFedRx`.
/// @dev One contract and no proxy: a registration checks membership, consent, round and uniqueness in one step, and
/// the code that an auditor reads is the code that ran.
contract FedRx is IFedRx, Endings {
    // ---------------------------------------------------------------------------------------------------- State

    SuiteLink private _predecessor;
    SuiteLink private _successor;

    // ---------------------------------------------------------------------------------------------- Constructor

    /// @notice Deploys the suite.
    /// @param governor Who governs from the first block on; the deployer keeps nothing.
    /// @param predecessor The deployment before, zeros when this is the first.
    constructor(address governor, SuiteLink memory predecessor) Ownable(governor) {
        _predecessor = predecessor;
    }

    // ------------------------------------------------------------------------------------------------ Functions

    /// @inheritdoc IFedRx
    function sealSuite(uint64 successorChainId, address successor) external onlyOwner {
        _requireNotSealed();
        if (successorChainId == 0) revert MissingValue("successorChainId");
        if (successor == address(0)) revert MissingValue("successor");
        _successor = SuiteLink(successorChainId, successor);
        emit SuiteSealed(successorChainId, successor, FORMAT_VERSION);
    }

    // ---------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IFedRx
    function suite()
        external
        view
        returns (uint8 formatVersion, uint8 scheme, SuiteLink memory predecessor, SuiteLink memory successor)
    {
        return (FORMAT_VERSION, COMMITMENT_SCHEME, _predecessor, _successor);
    }

    // ------------------------------------------------------------------------------------------------- Internals

    function _requireNotSealed() internal view override {
        SuiteLink memory successor = _successor;
        if (successor.chainId != 0) revert SuiteIsSealed(successor.chainId, successor.suite);
    }
}
