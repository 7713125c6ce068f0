// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Membership} from "./Membership.sol";
import {IConsents} from "./interfaces/IConsents.sol";

/// @title Which consents of a site are in force
/// @notice See `IConsents`.
/// @dev The versions are kept in `Membership`'s site record.
abstract contract Consents is IConsents, Membership {
    // ---------------------------------------------------------------------------------------------------- State

    mapping(bytes32 siteId => mapping(uint32 version => uint64 validUntil)) private _validUntil;

    // ------------------------------------------------------------------------------------------------ Functions

    /// @inheritdoc IConsents
    function publishConsentRoot(
        bytes32 root,
        uint64 validUntil,
        uint32 patients,
        uint32 guardians,
        uint32 waivers
    ) external {
        (bytes32 siteId, Site storage record) = _callingSite();
        if (record.status != SiteStatus.Active) revert SiteNotActive(siteId, record.status);
        if (root == 0) revert MissingValue("root");
        if (validUntil <= block.timestamp) revert ConsentAlreadyExpired(siteId, validUntil, block.timestamp);
        if (patients | guardians | waivers == 0) revert ConsentRootEmpty(siteId);
        uint32 version = ++record.consentVersion;
        _validUntil[siteId][version] = validUntil;
        emit ConsentRootPublished(siteId, version, root, validUntil, patients, guardians, waivers, FORMAT_VERSION);
    }

    /// @inheritdoc IConsents
    function withdrawConsents() external {
        (bytes32 siteId, Site storage record) = _callingSite();
        // The standing is not checked: a patient's withdrawal is never refused for what the site did.
        uint32 minVersion = record.consentVersion + 1;
        if (record.minConsentVersion == minVersion) revert NothingToWithdraw(siteId, minVersion);
        record.minConsentVersion = minVersion;
        emit ConsentWithdrawn(siteId, minVersion, FORMAT_VERSION);
    }

    // ---------------------------------------------------------------------------------------------------- Views

    /// @inheritdoc IConsents
    function consentOf(bytes32 siteId) external view returns (uint32 latestVersion, uint32 minVersion) {
        Site storage record = _siteRecord(siteId);
        return (record.consentVersion, record.minConsentVersion);
    }

    /// @inheritdoc IConsents
    function consentValidUntil(bytes32 siteId, uint32 version) external view returns (uint64 validUntil) {
        return _validUntil[siteId][version];
    }

    // ------------------------------------------------------------------------------------------------- Internals

    /// @dev A version that was never published has expiry 0, so it is past.
    function _requireConsentInForce(bytes32 siteId, uint32 version, uint32 minVersion) internal view {
        uint64 validUntil = _validUntil[siteId][version];
        if (version < minVersion || validUntil < block.timestamp) {
            revert ConsentNotInForce(siteId, version, minVersion, validUntil);
        }
    }
}
