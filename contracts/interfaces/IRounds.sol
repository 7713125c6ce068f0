// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Lineages and their rounds
/// @notice A round opens on the lineage's head, takes one sealed update from each selected site until its deadline or
/// until all have submitted, and ends in one of three ways: its aggregators attest a new model (Finalized), they
/// attest that too few updates were accepted (Failed), or somebody aborts it after `attestBy` (Aborted). Closing needs
/// no transaction. docs/spec/round.md has the transition table. Here is what a round is and where it stands; what
/// happens in it has an interface each: `IOpenings`, `IUpdates`, `IEndings`.
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
}
