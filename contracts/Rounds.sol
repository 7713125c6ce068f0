// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Consents} from "./Consents.sol";
import {IRounds} from "./interfaces/IRounds.sol";

/// @title Lineages and their rounds
/// @notice See `IRounds`. `Openings`, `Updates` and `Endings` build on this, each on the one before.
abstract contract Rounds is IRounds, Consents {
    // ------------------------------------------------------------------------------------------------ Constants

    /// @dev `parametersCommitment` is a salted hash.
    uint8 internal constant COMMITMENT_SCHEME = 1;

    // ---------------------------------------------------------------------------------------------------- Types

    struct RoundRecord {
        Round round;
        uint256 revoked;
        mapping(uint256 word => uint256 bitmap) selected;
        /// @dev 30 bytes of the digest of the fields, then index + 1 in 16 bits: never zero once registered.
        mapping(bytes32 siteId => uint256 submission) submissions;
    }

    // ---------------------------------------------------------------------------------------------------- State

    mapping(bytes32 lineageId => Lineage lineage) internal _lineages;
    mapping(bytes32 lineageId => mapping(uint64 round => RoundRecord record)) internal _rounds;

    // ---------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IRounds
    function lineage(bytes32 lineageId) external view returns (Lineage memory record) {
        return _lineages[lineageId];
    }

    /// @inheritdoc IRounds
    function roundOf(bytes32 lineageId, uint64 round) external view returns (Round memory record) {
        return _rounds[lineageId][round].round;
    }

    /// @inheritdoc IRounds
    function state(bytes32 lineageId, uint64 round) external view returns (RoundState current) {
        return _stateOf(_rounds[lineageId][round].round);
    }

    // ------------------------------------------------------------------------------------------------- Internals

    /// @dev Closing needs no transaction: it follows from the clock and the count.
    function _stateOf(Round storage round) internal view returns (RoundState) {
        if (round.recorded != RoundState.Open) return round.recorded;
        bool closed = block.timestamp >= round.deadline || round.submitted == round.selectedCount;
        return closed ? RoundState.Closed : RoundState.Open;
    }
}
