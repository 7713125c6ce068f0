// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "./IRounds.sol";

/// @title What the sites register in a round
/// @notice While a round is open, a selected site registers its sealed update once and may take it back
/// (docs/spec/round.md, section 3). The chain keeps who registered what, never the update.
interface IUpdates is IRounds {
    // --------------------------------------------------------------------------------------------------- Errors

    /// @notice The round takes no registrations or revocations.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param state Its state.
    error RoundNotOpen(bytes32 lineageId, uint64 round, RoundState state);

    /// @notice The site was not selected for the round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param siteId The site.
    error SiteNotSelected(bytes32 lineageId, uint64 round, bytes32 siteId);

    /// @notice The site has registered in this round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param siteId The site.
    error UpdateAlreadyRegistered(bytes32 lineageId, uint64 round, bytes32 siteId);

    /// @notice The site has registered this envelope before, in any round.
    /// @param siteId The site.
    /// @param envelopeDigest The envelope.
    error EnvelopeAlreadyRegistered(bytes32 siteId, bytes32 envelopeDigest);

    /// @notice The weight is not within 1 and 2^20.
    /// @param weight The weight.
    /// @param maxWeight The ceiling of this suite.
    error WeightOutOfRange(uint32 weight, uint32 maxWeight);

    /// @notice The site has registered nothing in this round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param siteId The site.
    error UpdateNotRegistered(bytes32 lineageId, uint64 round, bytes32 siteId);

    /// @notice The site has taken its update back before.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param siteId The site.
    error UpdateAlreadyRevoked(bytes32 lineageId, uint64 round, bytes32 siteId);

    // --------------------------------------------------------------------------------------------------- Events

    /// @notice A site registered its sealed update.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param siteId The site.
    /// @param index Order of registration in the round, from 0.
    /// @param envelopeDigest Digest of the sealed bytes.
    /// @param envelopeCid Where they will be.
    /// @param parametersCommitment Commitment to the update's parameters.
    /// @param weight The update's weight in the sum.
    /// @param datasetRoot Merkle root of the samples.
    /// @param consentVersion The consent root that the samples stand under.
    /// @param commitmentScheme What `parametersCommitment` is.
    /// @param formatVersion 1.
    event UpdateRegistered(
        bytes32 indexed lineageId,
        uint64 indexed round,
        bytes32 indexed siteId,
        uint16 index,
        bytes32 envelopeDigest,
        bytes32 envelopeCid,
        bytes32 parametersCommitment,
        uint32 weight,
        bytes32 datasetRoot,
        uint32 consentVersion,
        uint8 commitmentScheme,
        uint8 formatVersion
    );

    /// @notice A site took its own update back before close.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param siteId The site.
    /// @param index Of the update.
    /// @param formatVersion 1.
    event UpdateRevoked(
        bytes32 indexed lineageId,
        uint64 indexed round,
        bytes32 indexed siteId,
        uint16 index,
        uint8 formatVersion
    );

    // ------------------------------------------------------------------------------------------------ Functions

    /// @notice Active, selected site with consent in force: registers its sealed update, once a round.
    /// @dev An envelope is unique within the site's own history only. A rule over all sites would let anyone keep a
    /// site out by registering its digests first; copies are refused by the aggregators after opening.
    /// @param lineageId The lineage.
    /// @param round The open round.
    /// @param envelopeDigest Digest of the sealed bytes.
    /// @param envelopeCid Where they will be.
    /// @param parametersCommitment Commitment to the update's parameters.
    /// @param weight The update's weight in the sum, 1 to 2^20.
    /// @param datasetRoot Merkle root of the samples.
    /// @param consentVersion The consent root that the samples stand under.
    function registerUpdate(
        bytes32 lineageId,
        uint64 round,
        bytes32 envelopeDigest,
        bytes32 envelopeCid,
        bytes32 parametersCommitment,
        uint32 weight,
        bytes32 datasetRoot,
        uint32 consentVersion
    ) external;

    /// @notice Site, whatever its standing: takes its own update back while the round is open. It cannot register
    /// again in that round.
    /// @param lineageId The lineage.
    /// @param round The open round.
    function revokeUpdate(bytes32 lineageId, uint64 round) external;

    // ---------------------------------------------------------------------------------------------------- Views

    /// @notice What a site registered in a round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param siteId The site.
    /// @return fieldsDigest First 30 bytes of keccak-256 over the ABI encoding of (envelopeDigest, envelopeCid,
    /// parametersCommitment, weight, datasetRoot, consentVersion); zero when nothing was registered.
    /// @return indexPlusOne Order of registration, from 1; zero when nothing was registered.
    function submissionDigest(
        bytes32 lineageId,
        uint64 round,
        bytes32 siteId
    ) external view returns (bytes30 fieldsDigest, uint16 indexPlusOne);

    /// @notice The updates of a round that their sites took back.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @return indices Bitmap over registration indices.
    function revokedUpdates(bytes32 lineageId, uint64 round) external view returns (uint256 indices);
}
