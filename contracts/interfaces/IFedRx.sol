// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsents} from "./IConsents.sol";
import {IEndings} from "./IEndings.sol";
import {IMembership} from "./IMembership.sol";
import {IOpenings} from "./IOpenings.sol";
import {IUpdates} from "./IUpdates.sol";

/// @title The whole suite: one contract, no proxy
/// @notice A new version is a new deployment that names its predecessor; the old one is sealed and names its
/// successor, and audit follows the links in both directions.
interface IFedRx is IEndings, IUpdates, IOpenings, IConsents, IMembership {
    // ---------------------------------------------------------------------------------------------------- Types

    /// @notice A deployment, here or on another chain.
    struct SuiteLink {
        uint64 chainId;
        address suite;
    }

    // --------------------------------------------------------------------------------------------------- Events

    /// @notice The governor closed this deployment for new lineages and rounds and named its successor.
    /// @param successorChainId The successor's chain.
    /// @param successor The successor's address.
    /// @param formatVersion 1.
    event SuiteSealed(uint64 indexed successorChainId, address indexed successor, uint8 formatVersion);

    // ------------------------------------------------------------------------------------------------ Functions

    /// @notice Governor: closes this deployment for new lineages and rounds, for good. A live round can still finish.
    /// @param successorChainId The successor's chain.
    /// @param successor The successor's address.
    function sealSuite(uint64 successorChainId, address successor) external;

    // ---------------------------------------------------------------------------------------------------- Views

    /// @notice What this deployment is.
    /// @return formatVersion Of every event.
    /// @return scheme What `parametersCommitment` is: 1 is a salted hash.
    /// @return predecessor The deployment before, zeros when this is the first.
    /// @return successor The deployment after, zeros until sealed.
    function suite()
        external
        view
        returns (uint8 formatVersion, uint8 scheme, SuiteLink memory predecessor, SuiteLink memory successor);
}
