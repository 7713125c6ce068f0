// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bitmaps} from "./Bitmaps.sol";
import {Consents} from "./Consents.sol";
import {Results} from "./Results.sol";
import {IRounds} from "./interfaces/IRounds.sol";

/// @title Lineages and their rounds
/// @notice See `IRounds`.
abstract contract Rounds is IRounds, Consents {
    // ------------------------------------------------------------------------------------------------ Constants

    /// @dev `parametersCommitment` is a salted hash.
    uint8 internal constant COMMITMENT_SCHEME = 1;
    uint32 private constant MAX_WEIGHT = 1 << 20;
    uint256 private constant MAX_SELECTED = 256;
    uint256 private constant MAX_SELECTION_WORDS = MAX_SITES / 256;
    uint256 private constant MIN_ACCEPTED_FLOOR = 3;
    /// @dev From a round's opening to its `attestBy`; `openRound` in `IRounds` says why there is an end to it.
    uint256 private constant MAX_ROUND_SECONDS = 90 days;

    // ---------------------------------------------------------------------------------------------------- Types

    struct RoundRecord {
        Round round;
        uint256 revoked;
        mapping(uint256 word => uint256 bitmap) selected;
        /// @dev 30 bytes of the digest of the fields, then index + 1 in 16 bits: never zero once registered.
        mapping(bytes32 siteId => uint256 submission) submissions;
    }

    // ---------------------------------------------------------------------------------------------------- State

    mapping(bytes32 lineageId => Lineage lineage) private _lineages;
    mapping(bytes32 lineageId => mapping(uint64 round => RoundRecord record)) private _rounds;
    mapping(bytes32 siteId => mapping(bytes32 envelopeDigest => bool used)) private _envelopes;
    mapping(bytes32 resultDigest => uint256 votes) private _votes;

    // --------------------------------------------------------------------------------------- Functions: lineages

    /// @inheritdoc IRounds
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

    // ---------------------------------------------------------------------------------------- Functions: opening

    /// @inheritdoc IRounds
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

    /// @inheritdoc IRounds
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

    // ---------------------------------------------------------------------------------------- Functions: updates

    /// @inheritdoc IRounds
    function registerUpdate(
        bytes32 lineageId,
        uint64 round,
        bytes32 envelopeDigest,
        bytes32 envelopeCid,
        bytes32 parametersCommitment,
        uint32 weight,
        bytes32 datasetRoot,
        uint32 consentVersion
    ) external {
        (bytes32 siteId, Site storage caller) = _callingSite();
        RoundRecord storage record = _rounds[lineageId][round];
        _requireMayRegister(record, lineageId, round, siteId, caller, consentVersion);
        if (envelopeDigest == 0) revert MissingValue("envelopeDigest");
        if (envelopeCid == 0) revert MissingValue("envelopeCid");
        if (parametersCommitment == 0) revert MissingValue("parametersCommitment");
        if (datasetRoot == 0) revert MissingValue("datasetRoot");
        if (weight == 0 || weight > MAX_WEIGHT) revert WeightOutOfRange(weight, MAX_WEIGHT);
        if (_envelopes[siteId][envelopeDigest]) revert EnvelopeAlreadyRegistered(siteId, envelopeDigest);

        _envelopes[siteId][envelopeDigest] = true;
        uint256 index = record.round.submitted;
        uint256 fields = uint256(
            keccak256(
                abi.encode(envelopeDigest, envelopeCid, parametersCommitment, weight, datasetRoot, consentVersion)
            )
        );
        record.submissions[siteId] = (fields & ~uint256(type(uint16).max)) | (index + 1);
        record.round.submitted = uint16(index + 1);
        emit UpdateRegistered(
            lineageId,
            round,
            siteId,
            uint16(index),
            envelopeDigest,
            envelopeCid,
            parametersCommitment,
            weight,
            datasetRoot,
            consentVersion,
            COMMITMENT_SCHEME,
            FORMAT_VERSION
        );
    }

    /// @inheritdoc IRounds
    function revokeUpdate(bytes32 lineageId, uint64 round) external {
        (bytes32 siteId, ) = _callingSite();
        RoundRecord storage record = _rounds[lineageId][round];
        RoundState current = _stateOf(record.round);
        if (current != RoundState.Open) revert RoundNotOpen(lineageId, round, current);
        uint256 indexPlusOne = uint16(record.submissions[siteId]);
        if (indexPlusOne == 0) revert UpdateNotRegistered(lineageId, round, siteId);
        uint256 bit = 1 << (indexPlusOne - 1);
        if (record.revoked & bit != 0) revert UpdateAlreadyRevoked(lineageId, round, siteId);
        record.revoked |= bit;
        emit UpdateRevoked(lineageId, round, siteId, uint16(indexPlusOne - 1), FORMAT_VERSION);
    }

    // ----------------------------------------------------------------------------------------- Functions: ending

    /// @inheritdoc IRounds
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

    /// @inheritdoc IRounds
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

    /// @inheritdoc IRounds
    function isSelected(bytes32 lineageId, uint64 round, uint16 ordinal) external view returns (bool selected) {
        return _isSelected(_rounds[lineageId][round], ordinal);
    }

    /// @inheritdoc IRounds
    function submissionDigest(
        bytes32 lineageId,
        uint64 round,
        bytes32 siteId
    ) external view returns (bytes30 fieldsDigest, uint16 indexPlusOne) {
        uint256 submission = _rounds[lineageId][round].submissions[siteId];
        return (bytes30(bytes32(submission)), uint16(submission));
    }

    /// @inheritdoc IRounds
    function revokedUpdates(bytes32 lineageId, uint64 round) external view returns (uint256 indices) {
        return _rounds[lineageId][round].revoked;
    }

    /// @inheritdoc IRounds
    function pendingVotes(bytes32 resultDigest) external view returns (uint256 votes) {
        return _votes[resultDigest];
    }

    // ------------------------------------------------------------------------------------------------- Internals

    function _requireNotSealed() internal view virtual;

    /// @dev Closing needs no transaction: it follows from the clock and the count.
    function _stateOf(Round storage round) private view returns (RoundState) {
        if (round.recorded != RoundState.Open) return round.recorded;
        bool closed = block.timestamp >= round.deadline || round.submitted == round.selectedCount;
        return closed ? RoundState.Closed : RoundState.Open;
    }

    function _isSelected(RoundRecord storage record, uint256 ordinal) private view returns (bool) {
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

    /// @dev All that a registration needs of the caller and the round.
    function _requireMayRegister(
        RoundRecord storage record,
        bytes32 lineageId,
        uint64 round,
        bytes32 siteId,
        Site storage caller,
        uint32 consentVersion
    ) private view {
        if (caller.status != SiteStatus.Active) revert SiteNotActive(siteId, caller.status);
        RoundState standing = _stateOf(record.round);
        if (standing != RoundState.Open) revert RoundNotOpen(lineageId, round, standing);
        if (!_isSelected(record, caller.ordinal)) revert SiteNotSelected(lineageId, round, siteId);
        if (record.submissions[siteId] != 0) revert UpdateAlreadyRegistered(lineageId, round, siteId);
        _requireConsentInForce(siteId, consentVersion, caller.minConsentVersion);
    }

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
