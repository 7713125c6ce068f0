// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Openings} from "./Openings.sol";
import {IUpdates} from "./interfaces/IUpdates.sol";

/// @title What the sites register in a round
/// @notice See `IUpdates`.
abstract contract Updates is IUpdates, Openings {
    // ------------------------------------------------------------------------------------------------ Constants

    uint32 private constant MAX_WEIGHT = 1 << 20;

    // ---------------------------------------------------------------------------------------------------- State

    mapping(bytes32 siteId => mapping(bytes32 envelopeDigest => bool used)) private _envelopes;

    // ------------------------------------------------------------------------------------------------ Functions

    /// @inheritdoc IUpdates
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

    /// @inheritdoc IUpdates
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

    // ---------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IUpdates
    function submissionDigest(
        bytes32 lineageId,
        uint64 round,
        bytes32 siteId
    ) external view returns (bytes30 fieldsDigest, uint16 indexPlusOne) {
        uint256 submission = _rounds[lineageId][round].submissions[siteId];
        return (bytes30(bytes32(submission)), uint16(submission));
    }

    /// @inheritdoc IUpdates
    function revokedUpdates(bytes32 lineageId, uint64 round) external view returns (uint256 indices) {
        return _rounds[lineageId][round].revoked;
    }

    // ------------------------------------------------------------------------------------------------- Internals

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
}
