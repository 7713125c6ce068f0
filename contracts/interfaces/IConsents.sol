// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Which consents of a site are in force
/// @notice A site publishes Merkle roots of its consent receipts on a schedule, so that no event marks a visit. The
/// contract knows the root's version and the earliest expiry in it, and nothing about a patient. A grant makes a new
/// version and leaves older ones in force; a withdrawal voids every version so far, at once.
/// @dev Warning: the ledger cannot prove that a site trained on consented samples only. A patient's copy of the
/// receipt and the site's audit key can.
interface IConsents {
    // --------------------------------------------------------------------------------------------------- Errors

    /// @notice The root would be expired when published.
    /// @param siteId The site.
    /// @param validUntil The earliest expiry in the root, seconds since 1970.
    /// @param timestamp The block's time.
    error ConsentAlreadyExpired(bytes32 siteId, uint64 validUntil, uint256 timestamp);

    /// @notice The root stands over no receipt. A site whose last patient withdrew withdraws its consents instead.
    /// @param siteId The site.
    error ConsentRootEmpty(bytes32 siteId);

    /// @notice Every version so far is already void.
    /// @param siteId The site.
    /// @param minVersion The lowest version that an update may name.
    error NothingToWithdraw(bytes32 siteId, uint32 minVersion);

    /// @notice The version was never published, is withdrawn, or has expired.
    /// @param siteId The site.
    /// @param version The version that was named.
    /// @param minVersion The lowest version that an update may name.
    /// @param validUntil The version's expiry, 0 when it was never published.
    error ConsentNotInForce(bytes32 siteId, uint32 version, uint32 minVersion, uint64 validUntil);

    // --------------------------------------------------------------------------------------------------- Events

    /// @notice A site published the Merkle root of its consent receipts in force.
    /// @dev Warning: the three counts are the site's word, like the root. Whoever has the receipts can count them.
    /// @param siteId The site.
    /// @param version The root's version, from 1.
    /// @param root The root.
    /// @param validUntil The earliest expiry in the root, seconds since 1970.
    /// @param patients How many receipts below the root the patients gave themselves.
    /// @param guardians How many receipts guardians gave.
    /// @param waivers How many receipts stand for a documented waiver of an ethics committee.
    /// @param formatVersion 1.
    event ConsentRootPublished(
        bytes32 indexed siteId,
        uint32 indexed version,
        bytes32 root,
        uint64 validUntil,
        uint32 patients,
        uint32 guardians,
        uint32 waivers,
        uint8 formatVersion
    );

    /// @notice A site raised the lowest consent version that its updates may name.
    /// @param siteId The site.
    /// @param minVersion That version; it is not published yet.
    /// @param formatVersion 1.
    event ConsentWithdrawn(bytes32 indexed siteId, uint32 minVersion, uint8 formatVersion);

    // ------------------------------------------------------------------------------------------------ Functions

    /// @notice Active site: publishes the next version of its consent root.
    /// @param root The Merkle root.
    /// @param validUntil The earliest expiry in the root, seconds since 1970, after now.
    /// @param patients How many receipts below the root the patients gave themselves.
    /// @param guardians How many receipts guardians gave.
    /// @param waivers How many receipts stand for a documented waiver of an ethics committee; not all three are zero.
    function publishConsentRoot(
        bytes32 root,
        uint64 validUntil,
        uint32 patients,
        uint32 guardians,
        uint32 waivers
    ) external;

    /// @notice Site, whatever its standing: voids every consent version so far, at once.
    /// @dev A second withdrawal with nothing published in between reverts, so that an event always means a change.
    function withdrawConsents() external;

    // ---------------------------------------------------------------------------------------------------- Views

    /// @notice A site's consent versions.
    /// @param siteId The site.
    /// @return latestVersion The newest version, 0 when none was published.
    /// @return minVersion The lowest version that an update may name.
    function consentOf(bytes32 siteId) external view returns (uint32 latestVersion, uint32 minVersion);

    /// @notice When a version expires.
    /// @param siteId The site.
    /// @param version The version.
    /// @return validUntil The last second at which it is in force, 0 when it was never published.
    function consentValidUntil(bytes32 siteId, uint32 version) external view returns (uint64 validUntil);
}
