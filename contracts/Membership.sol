// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {IMembership} from "./interfaces/IMembership.sol";

/// @title Sites, aggregators, the auditor and the governor
/// @notice See `IMembership`.
abstract contract Membership is IMembership, Ownable2Step {
    // ------------------------------------------------------------------------------------------------ Constants

    uint8 internal constant FORMAT_VERSION = 1;
    uint256 internal constant MAX_AGGREGATORS = 32;
    /// @dev 64 selection words of 256 bits.
    uint256 internal constant MAX_SITES = 16_384;

    // ---------------------------------------------------------------------------------------------------- Types

    /// @dev One slot. The consent versions belong to `Consents`; they stand here so that a registration reads one
    /// slot for the caller, the standing and the consent.
    struct Site {
        address account;
        uint16 ordinal;
        SiteStatus status;
        uint32 consentVersion;
        uint32 minConsentVersion;
    }

    struct AggregatorSet {
        uint32 version;
        uint8 threshold;
    }

    // ---------------------------------------------------------------------------------------------------- State

    mapping(bytes32 siteId => Site site) private _sites;
    mapping(bytes32 aggregatorId => address account) private _aggregatorAccounts;
    /// @dev Kept for good: an account whose identity has moved on stays used, and acts for nobody.
    mapping(address account => bytes32 identity) private _identities;
    mapping(uint32 version => mapping(bytes32 aggregatorId => uint8 positionPlusOne)) private _aggregatorSets;
    mapping(uint32 epoch => address auditor) private _auditors;
    AggregatorSet private _currentSet;
    uint32 private _auditorEpoch;
    uint16 internal _siteCount;

    // ------------------------------------------------------------------------------------- Functions: governance

    /// @notice A suite without a governor could admit and suspend nobody.
    function renounceOwnership() public pure override(Ownable) {
        revert GovernorCannotRenounce();
    }

    /// @dev Every change of the governor passes here, the one of the constructor too.
    function _transferOwnership(address newOwner) internal override {
        emit GovernorChanged(owner(), newOwner, FORMAT_VERSION);
        super._transferOwnership(newOwner);
    }

    // ------------------------------------------------------------------------------------------ Functions: sites

    /// @inheritdoc IMembership
    function admitSite(bytes32 siteId, address account, bytes32 keyDigest) external onlyOwner {
        if (siteId == 0) revert MissingValue("siteId");
        if (keyDigest == 0) revert MissingValue("keyDigest");
        if (_sites[siteId].status != SiteStatus.None) revert SiteAlreadyAdmitted(siteId);
        uint16 ordinal = _siteCount;
        if (ordinal >= MAX_SITES) revert TooManySites(MAX_SITES);
        _claimAccount(account, siteId);
        _siteCount = ordinal + 1;
        _sites[siteId] = Site(account, ordinal, SiteStatus.Active, 0, 0);
        emit SiteAdmitted(siteId, account, ordinal, keyDigest, FORMAT_VERSION);
    }

    /// @inheritdoc IMembership
    function rotateSiteAccount(bytes32 siteId, address account, bytes32 keyDigest) external {
        Site storage record = _sites[siteId];
        if (record.status == SiteStatus.None) revert SiteNotFound(siteId);
        address previous = record.account;
        if (msg.sender != previous && msg.sender != owner()) revert NotSiteOrGovernor(siteId, msg.sender);
        if (record.status == SiteStatus.Left) revert SiteHasLeft(siteId);
        if (keyDigest == 0) revert MissingValue("keyDigest");
        _claimAccount(account, siteId);
        record.account = account;
        emit SiteAccountRotated(siteId, previous, account, keyDigest, FORMAT_VERSION);
    }

    /// @inheritdoc IMembership
    function suspendSite(bytes32 siteId) external onlyOwner {
        Site storage record = _sites[siteId];
        if (record.status != SiteStatus.Active) revert SiteNotActive(siteId, record.status);
        record.status = SiteStatus.Suspended;
        emit SiteSuspended(siteId, FORMAT_VERSION);
    }

    /// @inheritdoc IMembership
    function reinstateSite(bytes32 siteId) external onlyOwner {
        Site storage record = _sites[siteId];
        if (record.status != SiteStatus.Suspended) revert SiteNotSuspended(siteId, record.status);
        record.status = SiteStatus.Active;
        emit SiteReinstated(siteId, FORMAT_VERSION);
    }

    /// @inheritdoc IMembership
    function leaveNetwork() external {
        (bytes32 siteId, Site storage record) = _callingSite();
        if (record.status == SiteStatus.Left) revert SiteHasLeft(siteId);
        record.status = SiteStatus.Left;
        emit SiteLeft(siteId, FORMAT_VERSION);
    }

    // ------------------------------------------------------------------------------------ Functions: aggregators

    /// @inheritdoc IMembership
    function admitAggregator(bytes32 aggregatorId, address account, bytes32 keyDigest) external onlyOwner {
        if (aggregatorId == 0) revert MissingValue("aggregatorId");
        if (keyDigest == 0) revert MissingValue("keyDigest");
        _claimAccount(account, aggregatorId);
        _aggregatorAccounts[aggregatorId] = account;
        emit AggregatorAdmitted(aggregatorId, account, keyDigest, FORMAT_VERSION);
    }

    /// @inheritdoc IMembership
    function setAggregators(bytes32[] calldata aggregatorIds, uint8 threshold) external onlyOwner {
        uint256 count = aggregatorIds.length;
        if (count > MAX_AGGREGATORS) revert TooManyAggregators(count, MAX_AGGREGATORS);
        if (threshold == 0 || threshold > count) revert ThresholdOutOfRange(threshold, count);
        uint32 version = _currentSet.version + 1;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 aggregatorId = aggregatorIds[i];
            if (_aggregatorAccounts[aggregatorId] == address(0)) revert AggregatorNotFound(aggregatorId);
            if (_aggregatorSets[version][aggregatorId] != 0) revert AggregatorRepeated(aggregatorId);
            _aggregatorSets[version][aggregatorId] = uint8(i + 1);
        }
        _currentSet = AggregatorSet(version, threshold);
        emit AggregatorSetChanged(version, threshold, aggregatorIds, FORMAT_VERSION);
    }

    // ---------------------------------------------------------------------------------------- Functions: auditor

    /// @inheritdoc IMembership
    function publishAuditorKey(address auditor, bytes32 keyDigest, bytes32 keyCid) external onlyOwner {
        if (auditor == address(0)) revert MissingValue("auditor");
        if (keyDigest == 0) revert MissingValue("keyDigest");
        if (keyCid == 0) revert MissingValue("keyCid");
        uint32 epoch = ++_auditorEpoch;
        _auditors[epoch] = auditor;
        emit AuditorKeyPublished(epoch, auditor, keyDigest, keyCid, FORMAT_VERSION);
    }

    /// @inheritdoc IMembership
    function declareAuditorKeyUse(uint32 epoch, bytes32 lineageId, uint64 firstRound, uint64 lastRound) external {
        if (_auditors[epoch] != msg.sender) revert NotTheAuditor(epoch, msg.sender);
        if (firstRound > lastRound) revert RoundRangeReversed(firstRound, lastRound);
        emit AuditorKeyUsed(epoch, lineageId, firstRound, lastRound, FORMAT_VERSION);
    }

    // ---------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IMembership
    function site(bytes32 siteId) external view returns (address account, uint16 ordinal, SiteStatus status) {
        Site storage record = _sites[siteId];
        return (record.account, record.ordinal, record.status);
    }

    /// @inheritdoc IMembership
    function siteCount() external view returns (uint16 count) {
        return _siteCount;
    }

    /// @inheritdoc IMembership
    function siteOf(address account) external view returns (bytes32 siteId) {
        bytes32 identity = _identities[account];
        return _sites[identity].account == account ? identity : bytes32(0);
    }

    /// @inheritdoc IMembership
    function aggregatorOf(address account) external view returns (bytes32 aggregatorId) {
        bytes32 identity = _identities[account];
        return _aggregatorAccounts[identity] == account ? identity : bytes32(0);
    }

    /// @inheritdoc IMembership
    function currentAggregatorSet() external view returns (uint32 version, uint8 threshold) {
        return (_currentSet.version, _currentSet.threshold);
    }

    /// @inheritdoc IMembership
    function aggregatorSet(uint32 version, bytes32 aggregatorId) external view returns (bool member, uint8 position) {
        uint8 positionPlusOne = _aggregatorSets[version][aggregatorId];
        return positionPlusOne == 0 ? (false, 0) : (true, positionPlusOne - 1);
    }

    /// @inheritdoc IMembership
    function auditorOf(uint32 epoch) external view returns (address auditor) {
        return _auditors[epoch];
    }

    /// @inheritdoc IMembership
    function auditorEpoch() external view returns (uint32 epoch) {
        return _auditorEpoch;
    }

    // ------------------------------------------------------------------------------------------------- Internals

    /// @dev The site that the caller acts for now.
    function _callingSite() internal view returns (bytes32 siteId, Site storage record) {
        siteId = _identities[msg.sender];
        record = _sites[siteId];
        // An account that was rotated out still has its identity here; only the record's account acts for it.
        if (record.account != msg.sender) revert NotASite(msg.sender);
    }

    function _siteRecord(bytes32 siteId) internal view returns (Site storage record) {
        return _sites[siteId];
    }

    /// @dev The aggregator that the caller acts for now.
    function _callingAggregator() internal view returns (bytes32 aggregatorId) {
        aggregatorId = _identities[msg.sender];
        if (_aggregatorAccounts[aggregatorId] != msg.sender) revert NotAnAggregator(msg.sender);
    }

    function _currentAggregatorSet() internal view returns (AggregatorSet memory set) {
        return _currentSet;
    }

    /// @dev The place of an aggregator in a set, from 0.
    function _positionIn(uint32 version, bytes32 aggregatorId) internal view returns (uint256 position) {
        uint256 positionPlusOne = _aggregatorSets[version][aggregatorId];
        if (positionPlusOne == 0) revert AggregatorNotInSet(aggregatorId, version);
        return positionPlusOne - 1;
    }

    function _claimAccount(address account, bytes32 identity) private {
        if (account == address(0)) revert MissingValue("account");
        bytes32 usedBy = _identities[account];
        if (usedBy != 0) revert AccountAlreadyUsed(account, usedBy);
        _identities[account] = identity;
    }
}
