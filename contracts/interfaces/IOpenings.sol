// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRounds} from "./IRounds.sol";

/// @title How a round opens
/// @notice The governor creates lineages. An aggregator of the current set announces a fresh key for a coming round
/// and opens the lineage's next round on its head, for the sites that it selects (docs/spec/round.md, section 2).
interface IOpenings is IRounds {
    // --------------------------------------------------------------------------------------------------- Errors

    /// @notice The suite is closed for new lineages and rounds.
    /// @param successorChainId The successor's chain.
    /// @param successor The successor's address.
    error SuiteIsSealed(uint64 successorChainId, address successor);

    /// @notice The lineage was created before.
    /// @param lineageId The lineage.
    error LineageAlreadyExists(bytes32 lineageId);

    /// @notice No such lineage was created.
    /// @param lineageId The lineage.
    error LineageNotFound(bytes32 lineageId);

    /// @notice The round is not the lineage's next.
    /// @param lineageId The lineage.
    /// @param round The round that was named.
    /// @param nextRound The lineage's next round.
    error RoundOutOfOrder(bytes32 lineageId, uint64 round, uint64 nextRound);

    /// @notice The lineage's last round has not ended.
    /// @param lineageId The lineage.
    /// @param round The live round.
    /// @param state Its state, Open or Closed.
    error RoundStillLive(bytes32 lineageId, uint64 round, RoundState state);

    /// @notice The parent is not the lineage's head.
    /// @param lineageId The lineage.
    /// @param parentDigest The parent that was named.
    /// @param headDigest The lineage's head.
    error ParentNotHead(bytes32 lineageId, bytes32 parentDigest, bytes32 headDigest);

    /// @notice The deadline has passed.
    /// @param deadline The deadline, seconds since 1970.
    /// @param timestamp The block's time.
    error DeadlineInPast(uint64 deadline, uint256 timestamp);

    /// @notice The aggregators would have no time between the deadline and the moment from which anyone may abort.
    /// @param attestBy That moment.
    /// @param deadline The deadline.
    error AttestByNotAfterDeadline(uint64 attestBy, uint64 deadline);

    /// @notice The round could stay live for longer than 90 days.
    /// @param attestBy From here on anyone may abort, seconds since 1970.
    /// @param latest The latest such moment for a round that opens in this block, seconds since 1970.
    error AttestByTooLate(uint64 attestBy, uint256 latest);

    /// @notice The selection has more words than this suite has ordinals.
    /// @param words How many words.
    /// @param maxWords The ceiling of this suite.
    error SelectionTooLong(uint256 words, uint256 maxWords);

    /// @notice The selection names an ordinal that no site has.
    /// @param siteCount How many sites were admitted.
    error SelectionNamesUnknownSite(uint16 siteCount);

    /// @notice The counts do not satisfy 3 ≤ minAccepted ≤ selected ≤ 256.
    /// @param selectedCount How many sites are selected.
    /// @param minAccepted How many updates must be accepted.
    error SelectionOutOfRange(uint256 selectedCount, uint16 minAccepted);

    // --------------------------------------------------------------------------------------------------- Events

    /// @notice An aggregator announced its fresh HPKE key for a coming round.
    /// @param aggregatorId The aggregator.
    /// @param lineageId The lineage.
    /// @param round The coming round.
    /// @param keyDigest Digest of the public key document.
    /// @param keyCid Where the document is.
    /// @param formatVersion 1.
    event RoundKeyAnnounced(
        bytes32 indexed aggregatorId,
        bytes32 indexed lineageId,
        uint64 indexed round,
        bytes32 keyDigest,
        bytes32 keyCid,
        uint8 formatVersion
    );

    /// @notice The governor named a lineage's genesis model.
    /// @param lineageId The lineage.
    /// @param genesisRound 0, or the predecessor deployment's last round.
    /// @param modelDigest Digest of the genesis model.
    /// @param modelCid Where it is.
    /// @param backboneDigest Digest of the frozen backbone.
    /// @param planSchema Digest of the schema that the round plans follow.
    /// @param commitmentScheme What `parametersCommitment` is.
    /// @param formatVersion 1.
    event LineageCreated(
        bytes32 indexed lineageId,
        uint64 genesisRound,
        bytes32 modelDigest,
        bytes32 modelCid,
        bytes32 backboneDigest,
        bytes32 planSchema,
        uint8 commitmentScheme,
        uint8 formatVersion
    );

    /// @notice An aggregator opened a round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param aggregatorId The aggregator.
    /// @param parentDigest Digest of the model that updates are relative to.
    /// @param planDigest Digest of the round plan.
    /// @param planCid Where it is.
    /// @param recipientsDigest Digest of the list of recipients of the envelopes.
    /// @param deadline Registrations end before this, seconds since 1970.
    /// @param attestBy From here on anyone may abort, seconds since 1970.
    /// @param minAccepted How many updates must be accepted.
    /// @param aggregatorSetVersion Who may attest.
    /// @param selected Bitmap words over site ordinals, least significant word first.
    /// @param formatVersion 1.
    event RoundOpened(
        bytes32 indexed lineageId,
        uint64 indexed round,
        bytes32 indexed aggregatorId,
        bytes32 parentDigest,
        bytes32 planDigest,
        bytes32 planCid,
        bytes32 recipientsDigest,
        uint64 deadline,
        uint64 attestBy,
        uint16 minAccepted,
        uint32 aggregatorSetVersion,
        uint256[] selected,
        uint8 formatVersion
    );

    // ------------------------------------------------------------------------------------------------ Functions

    /// @notice Governor: names a lineage's genesis model, once.
    /// @param lineageId The lineage.
    /// @param genesisRound 0, or the predecessor deployment's last round.
    /// @param modelDigest Digest of the genesis model.
    /// @param modelCid Where it is.
    /// @param backboneDigest Digest of the frozen backbone.
    /// @param planSchema Digest of the schema that the round plans follow.
    function createLineage(
        bytes32 lineageId,
        uint64 genesisRound,
        bytes32 modelDigest,
        bytes32 modelCid,
        bytes32 backboneDigest,
        bytes32 planSchema
    ) external;

    /// @notice Aggregator of the current set: announces its fresh HPKE key for a round that is not open yet.
    /// @param lineageId The lineage.
    /// @param round The coming round.
    /// @param keyDigest Digest of the public key document.
    /// @param keyCid Where the document is.
    function announceRoundKey(bytes32 lineageId, uint64 round, bytes32 keyDigest, bytes32 keyCid) external;

    /// @notice Aggregator of the current set: opens the lineage's next round. The set and threshold are snapshotted.
    /// @dev A lineage has one live round, and before `attestBy` only the set's votes end it. Both times are therefore
    /// bounded by now + 90 days: long enough for sites that collect for a season, and no single member of the set can
    /// hold a lineage up for good. As the deadline is before `attestBy`, one check holds both.
    /// @param lineageId The lineage.
    /// @param round The lineage's next round.
    /// @param parentDigest The lineage's head.
    /// @param planDigest Digest of the round plan.
    /// @param planCid Where it is.
    /// @param recipientsDigest Digest of the list of recipients of the envelopes.
    /// @param deadline Registrations end before this, seconds since 1970, after now.
    /// @param attestBy From here on anyone may abort, seconds since 1970, after the deadline, within 90 days from now.
    /// @param minAccepted At least 3, at most the number of selected sites: with fewer, the model gives an update away.
    /// @param selected Bitmap words over site ordinals, least significant word first; at most 256 sites.
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
    ) external;

    // ---------------------------------------------------------------------------------------------------- Views

    /// @notice Whether a site was selected for a round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param ordinal The site's ordinal.
    /// @return selected Whether it was.
    function isSelected(bytes32 lineageId, uint64 round, uint16 ordinal) external view returns (bool selected);
}
