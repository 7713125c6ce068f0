// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Lineages and their rounds
/// @notice A round opens on the lineage's head, takes one sealed update from each selected site until its deadline or
/// until all have submitted, and ends in one of three ways: its aggregators attest a new model (Finalized), they
/// attest that too few updates were accepted (Failed), or somebody aborts it after `attestBy` (Aborted). Closing needs
/// no transaction. docs/spec/round.md has the transition table.
/// @dev Warning: the ledger proves who registered what, when, and under which consent version. It does not prove that
/// a site trained honestly or that a weight is true; replay proves that the model is the stated sum.
interface IRounds {
    // ---------------------------------------------------------------------------------------------------- Types

    /// @notice Where a round stands. Closed is Open with its deadline passed or every selected site registered.
    enum RoundState {
        None,
        Open,
        Closed,
        Finalized,
        Failed,
        Aborted
    }

    /// @notice A round, one storage slot. `recorded` is never Closed: `state` works that out.
    struct Round {
        uint64 deadline;
        uint64 attestBy;
        uint32 aggregatorSetVersion;
        uint32 voted;
        uint16 submitted;
        uint16 selectedCount;
        uint16 minAccepted;
        uint8 threshold;
        RoundState recorded;
    }

    /// @notice A lineage.
    struct Lineage {
        bytes32 headDigest;
        uint64 genesisRound;
        uint64 lastRound;
        uint64 headRound;
        bool exists;
    }

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

    /// @notice A lineage.
    /// @param lineageId The lineage.
    /// @return record Its head, its genesis round, its last opened round and the round that made its head.
    function lineage(bytes32 lineageId) external view returns (Lineage memory record);

    /// @notice A round's record.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @return record The record.
    function roundOf(bytes32 lineageId, uint64 round) external view returns (Round memory record);

    /// @notice A round's state at the block's time.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @return current The state.
    function state(bytes32 lineageId, uint64 round) external view returns (RoundState current);

    /// @notice Whether a site was selected for a round.
    /// @param lineageId The lineage.
    /// @param round The round.
    /// @param ordinal The site's ordinal.
    /// @return selected Whether it was.
    function isSelected(bytes32 lineageId, uint64 round, uint16 ordinal) external view returns (bool selected);

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

    /// @notice How many votes a result has that is still below the threshold.
    /// @param resultDigest The result.
    /// @return votes How many; the vote that reaches the threshold is not counted here.
    function pendingVotes(bytes32 resultDigest) external view returns (uint256 votes);
}
