// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Who takes part: sites, aggregators, the auditor and the governor
/// @notice An identity is a bytes32 that never changes; the account that acts for it rotates. The caller is always
/// `msg.sender`: no function takes the identity it acts for, except where the governor acts on somebody else's.
/// @dev Warning: the governor admits, suspends and rotates alone. Outside demonstrations it is a multisig or timelock.
/// The trailing `formatVersion` of every event is 1 in this suite.
interface IMembership {
    // ---------------------------------------------------------------------------------------------------- Types

    /// @notice A site's standing. Left is final.
    enum SiteStatus {
        None,
        Active,
        Suspended,
        Left
    }

    // --------------------------------------------------------------------------------------------------- Errors

    /// @notice A value that may not be zero is zero.
    /// @param field The name of the argument.
    error MissingValue(string field);

    /// @notice The site was admitted before.
    /// @param siteId The site.
    error SiteAlreadyAdmitted(bytes32 siteId);

    /// @notice The account acts or acted for an identity; an account is never used twice.
    /// @param account The account.
    /// @param usedBy The site or aggregator that the account belongs to, now or earlier.
    error AccountAlreadyUsed(address account, bytes32 usedBy);

    /// @notice No ordinal is left for another site.
    /// @param maxSites The ceiling of this suite.
    error TooManySites(uint256 maxSites);

    /// @notice No such site was admitted.
    /// @param siteId The site.
    error SiteNotFound(bytes32 siteId);

    /// @notice The site's standing forbids the call.
    /// @param siteId The site.
    /// @param status Its standing.
    error SiteNotActive(bytes32 siteId, SiteStatus status);

    /// @notice Only a suspended site can be reinstated.
    /// @param siteId The site.
    /// @param status Its standing.
    error SiteNotSuspended(bytes32 siteId, SiteStatus status);

    /// @notice The site has left for good.
    /// @param siteId The site.
    error SiteHasLeft(bytes32 siteId);

    /// @notice The caller is not the current account of any site.
    /// @param account The caller.
    error NotASite(address account);

    /// @notice The caller is neither the site's current account nor the governor.
    /// @param siteId The site.
    /// @param account The caller.
    error NotSiteOrGovernor(bytes32 siteId, address account);

    /// @notice No such aggregator was admitted.
    /// @param aggregatorId The aggregator.
    error AggregatorNotFound(bytes32 aggregatorId);

    /// @notice The caller is not the current account of any aggregator.
    /// @param account The caller.
    error NotAnAggregator(address account);

    /// @notice The aggregator is not in that version of the set.
    /// @param aggregatorId The aggregator.
    /// @param version The version of the set; 0 when none was ever chosen.
    error AggregatorNotInSet(bytes32 aggregatorId, uint32 version);

    /// @notice The set names an aggregator twice.
    /// @param aggregatorId The aggregator.
    error AggregatorRepeated(bytes32 aggregatorId);

    /// @notice The set is larger than a round can count votes for.
    /// @param given How many were named.
    /// @param maxAggregators The ceiling of this suite.
    error TooManyAggregators(uint256 given, uint256 maxAggregators);

    /// @notice The threshold is not within 1 and the size of the set.
    /// @param threshold The threshold.
    /// @param aggregators The size of the set.
    error ThresholdOutOfRange(uint256 threshold, uint256 aggregators);

    /// @notice The caller is not the auditor of that epoch.
    /// @param epoch The epoch; 0 and epochs that were never published have no auditor.
    /// @param account The caller.
    error NotTheAuditor(uint32 epoch, address account);

    /// @notice The first round comes after the last.
    /// @param firstRound The first round.
    /// @param lastRound The last round.
    error RoundRangeReversed(uint64 firstRound, uint64 lastRound);

    /// @notice A suite without a governor could admit and suspend nobody.
    error GovernorCannotRenounce();

    // --------------------------------------------------------------------------------------------------- Events

    /// @notice The governor changed; also emitted once at deployment, from the zero account.
    /// @param previousGovernor The governor before.
    /// @param governor The governor from now on.
    /// @param formatVersion 1.
    event GovernorChanged(address indexed previousGovernor, address indexed governor, uint8 formatVersion);

    /// @notice The governor admitted a site.
    /// @param siteId The site.
    /// @param account Its account.
    /// @param ordinal Its bit in selection bitmaps; dense from 0, never reused.
    /// @param keyDigest Digest of its key document.
    /// @param formatVersion 1.
    event SiteAdmitted(
        bytes32 indexed siteId,
        address indexed account,
        uint16 ordinal,
        bytes32 keyDigest,
        uint8 formatVersion
    );

    /// @notice A site's account was replaced; the old one can never act or be used again.
    /// @param siteId The site.
    /// @param previousAccount The account before.
    /// @param account The account from now on.
    /// @param keyDigest Digest of the site's key document.
    /// @param formatVersion 1.
    event SiteAccountRotated(
        bytes32 indexed siteId,
        address indexed previousAccount,
        address indexed account,
        bytes32 keyDigest,
        uint8 formatVersion
    );

    /// @notice The governor suspended a site.
    /// @param siteId The site.
    /// @param formatVersion 1.
    event SiteSuspended(bytes32 indexed siteId, uint8 formatVersion);

    /// @notice The governor reinstated a suspended site.
    /// @param siteId The site.
    /// @param formatVersion 1.
    event SiteReinstated(bytes32 indexed siteId, uint8 formatVersion);

    /// @notice A site left for good.
    /// @param siteId The site.
    /// @param formatVersion 1.
    event SiteLeft(bytes32 indexed siteId, uint8 formatVersion);

    /// @notice The governor admitted an aggregator, or replaced its account.
    /// @param aggregatorId The aggregator.
    /// @param account Its account from now on.
    /// @param keyDigest Digest of its key document.
    /// @param formatVersion 1.
    event AggregatorAdmitted(
        bytes32 indexed aggregatorId,
        address indexed account,
        bytes32 keyDigest,
        uint8 formatVersion
    );

    /// @notice The governor chose who opens and attests rounds, and how many votes finalise.
    /// @param version The version of the set, from 1.
    /// @param threshold How many equal votes finalise a round.
    /// @param aggregatorIds The set.
    /// @param formatVersion 1.
    event AggregatorSetChanged(uint32 indexed version, uint8 threshold, bytes32[] aggregatorIds, uint8 formatVersion);

    /// @notice The governor named the auditor's account and HPKE key of an epoch.
    /// @param epoch The epoch, from 1.
    /// @param auditor The auditor's account in that epoch.
    /// @param keyDigest Digest of the public key document.
    /// @param keyCid Where the document is.
    /// @param formatVersion 1.
    event AuditorKeyPublished(
        uint32 indexed epoch,
        address indexed auditor,
        bytes32 keyDigest,
        bytes32 keyCid,
        uint8 formatVersion
    );

    /// @notice The auditor declared that the epoch's private key was used on some rounds.
    /// @param epoch The epoch.
    /// @param lineageId The lineage.
    /// @param firstRound The first round.
    /// @param lastRound The last round.
    /// @param formatVersion 1.
    event AuditorKeyUsed(
        uint32 indexed epoch,
        bytes32 indexed lineageId,
        uint64 firstRound,
        uint64 lastRound,
        uint8 formatVersion
    );

    // ------------------------------------------------------------------------------------------------ Functions

    /// @notice Governor: admits a site.
    /// @param siteId The site.
    /// @param account The account that acts for it.
    /// @param keyDigest Digest of its key document.
    function admitSite(bytes32 siteId, address account, bytes32 keyDigest) external;

    /// @notice Governor or the site itself, also while suspended: replaces the site's account.
    /// @param siteId The site.
    /// @param account The new account.
    /// @param keyDigest Digest of the site's key document.
    function rotateSiteAccount(bytes32 siteId, address account, bytes32 keyDigest) external;

    /// @notice Governor: suspends an active site. It can register neither updates nor consent roots; it can withdraw
    /// consents, revoke its update, rotate its account and leave.
    /// @param siteId The site.
    function suspendSite(bytes32 siteId) external;

    /// @notice Governor: reinstates a suspended site.
    /// @param siteId The site.
    function reinstateSite(bytes32 siteId) external;

    /// @notice Site: leaves for good. It can still withdraw consents and revoke an update of an open round.
    function leaveNetwork() external;

    /// @notice Governor: admits an aggregator, or replaces the account of an admitted one.
    /// @param aggregatorId The aggregator.
    /// @param account The account that acts for it from now on.
    /// @param keyDigest Digest of its key document.
    function admitAggregator(bytes32 aggregatorId, address account, bytes32 keyDigest) external;

    /// @notice Governor: chooses the aggregators of rounds opened from now on. Open rounds keep their set.
    /// @param aggregatorIds At most 32 admitted aggregators, none twice.
    /// @param threshold How many equal votes finalise a round, 1 to the size of the set.
    function setAggregators(bytes32[] calldata aggregatorIds, uint8 threshold) external;

    /// @notice Governor: starts the next auditor epoch.
    /// @param auditor The auditor's account.
    /// @param keyDigest Digest of the public key document.
    /// @param keyCid Where the document is.
    function publishAuditorKey(address auditor, bytes32 keyDigest, bytes32 keyCid) external;

    /// @notice Auditor of that epoch: declares that its private key was used.
    /// @param epoch The epoch.
    /// @param lineageId The lineage.
    /// @param firstRound The first round.
    /// @param lastRound The last round.
    function declareAuditorKeyUse(uint32 epoch, bytes32 lineageId, uint64 firstRound, uint64 lastRound) external;

    // ---------------------------------------------------------------------------------------------------- Views

    /// @notice A site's record.
    /// @param siteId The site.
    /// @return account Its current account, zero when it was never admitted.
    /// @return ordinal Its bit in selection bitmaps.
    /// @return status Its standing.
    function site(bytes32 siteId) external view returns (address account, uint16 ordinal, SiteStatus status);

    /// @notice How many sites were ever admitted.
    /// @return count The next site's ordinal.
    function siteCount() external view returns (uint16 count);

    /// @notice The site that an account acts for.
    /// @param account The account.
    /// @return siteId The site, zero when the account acts for none now.
    function siteOf(address account) external view returns (bytes32 siteId);

    /// @notice The aggregator that an account acts for.
    /// @param account The account.
    /// @return aggregatorId The aggregator, zero when the account acts for none now.
    function aggregatorOf(address account) external view returns (bytes32 aggregatorId);

    /// @notice The aggregator set of rounds opened now.
    /// @return version The version, 0 when none was chosen.
    /// @return threshold How many equal votes finalise.
    function currentAggregatorSet() external view returns (uint32 version, uint8 threshold);

    /// @notice Whether an aggregator is in a version of the set.
    /// @param version The version.
    /// @param aggregatorId The aggregator.
    /// @return member Whether it is.
    /// @return position Its place in the set and its bit in a round's `voted`, from 0.
    function aggregatorSet(uint32 version, bytes32 aggregatorId) external view returns (bool member, uint8 position);

    /// @notice The auditor of an epoch.
    /// @param epoch The epoch.
    /// @return auditor The account, zero when there was no such epoch.
    function auditorOf(uint32 epoch) external view returns (address auditor);

    /// @notice The newest auditor epoch.
    /// @return epoch The epoch, 0 when none was published.
    function auditorEpoch() external view returns (uint32 epoch);
}
