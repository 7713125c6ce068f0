// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "./IRounds.sol";

/// @title How a round ends
/// @notice The aggregators of a closed round vote for its result until one reaches the round's threshold, or anyone
/// aborts it from `attestBy` on (docs/spec/round.md, sections 4 and 5).
interface IEndings is IRounds {
    // --------------------------------------------------------------------------------------------------- Errors

    /// @notice The round takes no votes: it is still open, or it has ended.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param state Its state.
    error RoundNotClosed(bytes32 lineageId, uint64 round, RoundState state);

    /// @notice The aggregator has voted in this round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param aggregatorId The aggregator.
    error AlreadyAttested(bytes32 lineageId, uint64 round, bytes32 aggregatorId);

    /// @notice There is not one verdict code for each registered update.
    /// @param codes How many codes.
    /// @param submitted How many registered updates.
    error CodesLengthMismatch(uint256 codes, uint16 submitted);

    /// @notice The accepted bitmap is not that of the codes: bit i is set if and only if code i is 0.
    /// @param accepted The bitmap that was given.
    /// @param acceptedByCodes The bitmap that the codes say.
    error AcceptedContradictsCodes(uint256 accepted, uint256 acceptedByCodes);

    /// @notice The result accepts updates that their sites took back.
    /// @param indices Bitmap of those updates.
    error AcceptedButRevoked(uint256 indices);

    /// @notice The result names a model although fewer updates were accepted than the round requires.
    /// @param accepted How many were accepted.
    /// @param minAccepted How many are required.
    error TooFewAccepted(uint256 accepted, uint16 minAccepted);

    /// @notice The result names no model although enough updates were accepted.
    /// @param accepted How many were accepted.
    /// @param minAccepted How many are required.
    error QuorumWithoutModel(uint256 accepted, uint16 minAccepted);

    /// @notice A result without a model must leave the model's CID and the state digest zero.
    error FailedResultNamesModel();

    /// @notice The round is not live.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param state Its state.
    error RoundNotLive(bytes32 lineageId, uint64 round, RoundState state);

    /// @notice The aggregators still have time.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param attestBy From here on anyone may abort, seconds since 1970.
    /// @param timestamp The block's time.
    error AttestationStillDue(bytes32 lineageId, uint64 round, uint64 attestBy, uint256 timestamp);

    // --------------------------------------------------------------------------------------------------- Events

    /// @notice An aggregator voted for one result of a round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param aggregatorId The aggregator.
    /// @param resultDigest keccak-256 over all fields of the result, this chain and this contract.
    /// @param formatVersion 1.
    event ResultAttested(
        bytes32 indexed lineageId,
        uint64 indexed round,
        bytes32 indexed aggregatorId,
        bytes32 resultDigest,
        uint8 formatVersion
    );

    /// @notice A result reached the threshold and is the lineage's new head.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param modelDigest Digest of the new global model.
    /// @param modelCid Where it is.
    /// @param stateDigest Digest of the server optimizer's state.
    /// @param verdictsRoot Merkle root of the verdict list.
    /// @param verdictsCid Where the list is.
    /// @param accepted Bitmap over registration indices.
    /// @param codes One verdict code a registration.
    /// @param formatVersion 1.
    event RoundFinalized(
        bytes32 indexed lineageId,
        uint64 indexed round,
        bytes32 indexed modelDigest,
        bytes32 modelCid,
        bytes32 stateDigest,
        bytes32 verdictsRoot,
        bytes32 verdictsCid,
        uint256 accepted,
        bytes codes,
        uint8 formatVersion
    );

    /// @notice The aggregators attested that too few updates were accepted; the head stays.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param verdictsRoot Merkle root of the verdict list.
    /// @param verdictsCid Where the list is.
    /// @param accepted Bitmap over registration indices.
    /// @param codes One verdict code a registration.
    /// @param formatVersion 1.
    event RoundFailed(
        bytes32 indexed lineageId,
        uint64 indexed round,
        bytes32 verdictsRoot,
        bytes32 verdictsCid,
        uint256 accepted,
        bytes codes,
        uint8 formatVersion
    );

    /// @notice Nobody attested in time and somebody said so; the head stays.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param by Who said so.
    /// @param formatVersion 1.
    event RoundAborted(bytes32 indexed lineageId, uint64 indexed round, address indexed by, uint8 formatVersion);

    // ------------------------------------------------------------------------------------------------ Functions

    /// @notice Aggregator of the round's set: votes once for a result of a closed round. The vote that reaches the
    /// threshold ends the round. Votes are taken until somebody aborts, also after `attestBy`.
    /// @param lineageId The lineage.
    /// @param round The closed round.
    /// @param modelDigest Digest of the new global model; zero says that too few updates were accepted.
    /// @param modelCid Where it is; zero without a model.
    /// @param stateDigest Digest of the server optimizer's state; zero without a model, and where there is none.
    /// @param verdictsRoot Merkle root of the verdict list.
    /// @param verdictsCid Where the list is.
    /// @param accepted Bitmap over registration indices.
    /// @param codes One verdict code a registration; bit i of `accepted` is set if and only if code i is 0.
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
    ) external;

    /// @notice Anyone, from `attestBy` on: ends a live round that reached no result. The head stays.
    /// @param lineageId The lineage.
    /// @param round The round.
    function abortRound(bytes32 lineageId, uint64 round) external;

    // ---------------------------------------------------------------------------------------------------- Views

    /// @notice How many votes a result has that is still below the threshold.
    /// @param resultDigest The result.
    /// @return votes How many; the vote that reaches the threshold is not counted here.
    function pendingVotes(bytes32 resultDigest) external view returns (uint256 votes);
}
