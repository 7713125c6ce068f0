// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Results} from "./Results.sol";
import {Updates} from "./Updates.sol";
import {IEndings} from "./interfaces/IEndings.sol";

/// @title How a round ends
/// @notice See `IEndings`.
abstract contract Endings is IEndings, Updates {
    // ---------------------------------------------------------------------------------------------------- State

    mapping(bytes32 resultDigest => uint256 votes) private _votes;

    // ------------------------------------------------------------------------------------------------ Functions

    /// @inheritdoc IEndings
    function attestResult(
        bytes32 lineageId,
        uint64 round,
        bytes32 modelDigest,
        bytes32 modelCid,
        bytes32 stateDigest,
        bytes32 verdictsRoot,
        bytes32 verdictsCid,
        uint256 accepted,
        bytes calldata codes
    ) external {
        bytes32 aggregatorId = _callingAggregator();
        RoundRecord storage record = _rounds[lineageId][round];
        Round memory voted = _withVote(record.round, lineageId, round, aggregatorId);
        Results.requireVerdictsAddUp(voted, accepted, codes, record.revoked, modelDigest != 0);
        Results.requireWhole(modelDigest, modelCid, stateDigest, verdictsRoot, verdictsCid);
        bytes32 resultDigest = Results.digest(
            lineageId,
            round,
            modelDigest,
            modelCid,
            stateDigest,
            verdictsRoot,
            verdictsCid,
            accepted,
            codes
        );
        emit ResultAttested(lineageId, round, aggregatorId, resultDigest, FORMAT_VERSION);
        if (_reachesThreshold(resultDigest, voted.threshold)) {
            if (modelDigest == 0) {
                voted.recorded = RoundState.Failed;
                emit RoundFailed(lineageId, round, verdictsRoot, verdictsCid, accepted, codes, FORMAT_VERSION);
            } else {
                voted.recorded = RoundState.Finalized;
                _lineages[lineageId].headDigest = modelDigest;
                _lineages[lineageId].headRound = round;
                emit RoundFinalized(
                    lineageId,
                    round,
                    modelDigest,
                    modelCid,
                    stateDigest,
                    verdictsRoot,
                    verdictsCid,
                    accepted,
                    codes,
                    FORMAT_VERSION
                );
            }
        }
        record.round = voted;
    }

    /// @inheritdoc IEndings
    function abortRound(bytes32 lineageId, uint64 round) external {
        Round storage record = _rounds[lineageId][round].round;
        RoundState current = _stateOf(record);
        if (current != RoundState.Open && current != RoundState.Closed) revert RoundNotLive(lineageId, round, current);
        if (block.timestamp < record.attestBy) {
            revert AttestationStillDue(lineageId, round, record.attestBy, block.timestamp);
        }
        record.recorded = RoundState.Aborted;
        emit RoundAborted(lineageId, round, msg.sender, FORMAT_VERSION);
    }

    // ---------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IEndings
    function pendingVotes(bytes32 resultDigest) external view returns (uint256 votes) {
        return _votes[resultDigest];
    }

    // ------------------------------------------------------------------------------------------------- Internals

    /// @dev The round with the aggregator's vote marked.
    function _withVote(
        Round storage stored,
        bytes32 lineageId,
        uint64 round,
        bytes32 aggregatorId
    ) private view returns (Round memory) {
        RoundState standing = _stateOf(stored);
        if (standing != RoundState.Closed) revert RoundNotClosed(lineageId, round, standing);
        Round memory current = stored;
        uint32 bit = uint32(1 << _positionIn(current.aggregatorSetVersion, aggregatorId));
        if (current.voted & bit != 0) revert AlreadyAttested(lineageId, round, aggregatorId);
        current.voted |= bit;
        return current;
    }

    /// @dev Counts a vote. The one that reaches the threshold is not stored: the round ends with it.
    function _reachesThreshold(bytes32 resultDigest, uint8 threshold) private returns (bool) {
        if (threshold == 1) return true;
        uint256 votes = _votes[resultDigest] + 1;
        if (votes >= threshold) return true;
        _votes[resultDigest] = votes;
        return false;
    }
}
