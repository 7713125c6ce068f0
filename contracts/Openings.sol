// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bitmaps} from "./Bitmaps.sol";
import {Rounds} from "./Rounds.sol";
import {IOpenings} from "./interfaces/IOpenings.sol";

/// @title How a round opens
/// @notice See `IOpenings`.
abstract contract Openings is IOpenings, Rounds {
    // ------------------------------------------------------------------------------------------------ Constants

    uint256 private constant MAX_SELECTED = 256;
    uint256 private constant MAX_SELECTION_WORDS = MAX_SITES / 256;
    uint256 private constant MIN_ACCEPTED_FLOOR = 3;
    /// @dev From a round's opening to its `attestBy`; `openRound` in `IOpenings` says why there is an end to it.
    uint256 private constant MAX_ROUND_SECONDS = 90 days;

    // ------------------------------------------------------------------------------------------------ Functions

    /// @inheritdoc IOpenings
    function createLineage(
        bytes32 lineageId,
        uint64 genesisRound,
        bytes32 modelDigest,
        bytes32 modelCid,
        bytes32 backboneDigest,
        bytes32 planSchema
    ) external onlyOwner {
        _requireNotSealed();
        if (lineageId == 0) revert MissingValue("lineageId");
        if (modelDigest == 0) revert MissingValue("modelDigest");
        if (modelCid == 0) revert MissingValue("modelCid");
        if (backboneDigest == 0) revert MissingValue("backboneDigest");
        if (planSchema == 0) revert MissingValue("planSchema");
        if (_lineages[lineageId].exists) revert LineageAlreadyExists(lineageId);
        _lineages[lineageId] = Lineage(modelDigest, genesisRound, genesisRound, genesisRound, true);
        emit LineageCreated(
            lineageId,
            genesisRound,
            modelDigest,
            modelCid,
            backboneDigest,
            planSchema,
            COMMITMENT_SCHEME,
            FORMAT_VERSION
        );
    }

    /// @inheritdoc IOpenings
    function announceRoundKey(bytes32 lineageId, uint64 round, bytes32 keyDigest, bytes32 keyCid) external {
        bytes32 aggregatorId = _callingAggregator();
        _positionIn(_currentAggregatorSet().version, aggregatorId);
        Lineage storage line = _lineages[lineageId];
        if (!line.exists) revert LineageNotFound(lineageId);
        if (round <= line.lastRound) revert RoundOutOfOrder(lineageId, round, line.lastRound + 1);
        if (keyDigest == 0) revert MissingValue("keyDigest");
        if (keyCid == 0) revert MissingValue("keyCid");
        emit RoundKeyAnnounced(aggregatorId, lineageId, round, keyDigest, keyCid, FORMAT_VERSION);
    }

    /// @inheritdoc IOpenings
    function openRound(
        bytes32 lineageId,
        uint64 round,
        bytes32 parentDigest,
        bytes32 planDigest,
        bytes32 planCid,
        bytes32 recipientsDigest,
        uint64 deadline,
        uint64 attestBy,
        uint16 minAccepted,
        uint256[] calldata selected
    ) external {
        bytes32 aggregatorId = _callingAggregator();
        AggregatorSet memory set = _currentAggregatorSet();
        _positionIn(set.version, aggregatorId);
        _requireNotSealed();
        _takeNextRound(lineageId, round, parentDigest);
        if (planDigest == 0) revert MissingValue("planDigest");
        if (planCid == 0) revert MissingValue("planCid");
        if (recipientsDigest == 0) revert MissingValue("recipientsDigest");
        _requireTimes(deadline, attestBy);
        RoundRecord storage record = _rounds[lineageId][round];
        uint16 selectedCount = _select(record, selected, minAccepted);
        record.round = Round({
            deadline: deadline,
            attestBy: attestBy,
            aggregatorSetVersion: set.version,
            voted: 0,
            submitted: 0,
            selectedCount: selectedCount,
            minAccepted: minAccepted,
            threshold: set.threshold,
            recorded: RoundState.Open
        });
        emit RoundOpened(
            lineageId,
            round,
            aggregatorId,
            parentDigest,
            planDigest,
            planCid,
            recipientsDigest,
            deadline,
            attestBy,
            minAccepted,
            set.version,
            selected,
            FORMAT_VERSION
        );
    }

    // ---------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IOpenings
    function isSelected(bytes32 lineageId, uint64 round, uint16 ordinal) external view returns (bool selected) {
        return _isSelected(_rounds[lineageId][round], ordinal);
    }

    // ------------------------------------------------------------------------------------------------- Internals

    function _requireNotSealed() internal view virtual;

    function _isSelected(RoundRecord storage record, uint256 ordinal) internal view returns (bool) {
        return record.selected[ordinal >> 8] & (1 << (ordinal & 0xff)) != 0;
    }

    /// @dev Moves the lineage's counter to its next round, on its head, with no other round live.
    function _takeNextRound(bytes32 lineageId, uint64 round, bytes32 parentDigest) private {
        Lineage storage line = _lineages[lineageId];
        if (!line.exists) revert LineageNotFound(lineageId);
        uint64 lastRound = line.lastRound;
        if (round != lastRound + 1) revert RoundOutOfOrder(lineageId, round, lastRound + 1);
        RoundState last = _stateOf(_rounds[lineageId][lastRound].round);
        if (last == RoundState.Open || last == RoundState.Closed) revert RoundStillLive(lineageId, lastRound, last);
        if (parentDigest != line.headDigest) revert ParentNotHead(lineageId, parentDigest, line.headDigest);
        line.lastRound = round;
    }

    /// @dev Now, deadline and `attestBy` follow each other, and the last is not too far away.
    function _requireTimes(uint64 deadline, uint64 attestBy) private view {
        if (deadline <= block.timestamp) revert DeadlineInPast(deadline, block.timestamp);
        if (attestBy <= deadline) revert AttestByNotAfterDeadline(attestBy, deadline);
        uint256 latest = block.timestamp + MAX_ROUND_SECONDS;
        if (attestBy > latest) revert AttestByTooLate(attestBy, latest);
    }

    /// @dev Stores the selection and returns how many sites it names.
    function _select(
        RoundRecord storage record,
        uint256[] calldata selected,
        uint16 minAccepted
    ) private returns (uint16 selectedCount) {
        uint256 words = selected.length;
        if (words > MAX_SELECTION_WORDS) revert SelectionTooLong(words, MAX_SELECTION_WORDS);
        uint256 sites = _siteCount;
        uint256 total = 0;
        for (uint256 i = 0; i < words; ++i) {
            uint256 bitmap = selected[i];
            uint256 known = sites > i * 256 ? sites - i * 256 : 0;
            if (known < 256 && bitmap >> known != 0) revert SelectionNamesUnknownSite(_siteCount);
            total += Bitmaps.count(bitmap);
            record.selected[i] = bitmap;
        }
        if (minAccepted < MIN_ACCEPTED_FLOOR || minAccepted > total || total > MAX_SELECTED) {
            revert SelectionOutOfRange(total, minAccepted);
        }
        return uint16(total);
    }
}
