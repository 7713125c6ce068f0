// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Bitmaps} from "./Bitmaps.sol";
import {IEndings} from "./interfaces/IEndings.sol";
import {IMembership} from "./interfaces/IMembership.sol";
import {IRounds} from "./interfaces/IRounds.sol";

/// @title What makes the result of a round whole
/// @notice The checks of `attestResult` that need nothing but the result and the round.
library Results {
    /// @dev One code an update, the bitmap that of the codes, nothing revoked in it, and a model exactly when enough
    /// were accepted.
    function requireVerdictsAddUp(
        IRounds.Round memory round,
        uint256 accepted,
        bytes calldata codes,
        uint256 revoked,
        bool namesModel
    ) internal pure {
        if (codes.length != round.submitted) revert IEndings.CodesLengthMismatch(codes.length, round.submitted);
        uint256 acceptedByCodes = Bitmaps.ofZeroBytes(codes);
        if (accepted != acceptedByCodes) revert IEndings.AcceptedContradictsCodes(accepted, acceptedByCodes);
        if (accepted & revoked != 0) revert IEndings.AcceptedButRevoked(accepted & revoked);
        uint256 count = Bitmaps.count(accepted);
        if (namesModel && count < round.minAccepted) revert IEndings.TooFewAccepted(count, round.minAccepted);
        if (!namesModel && count >= round.minAccepted) revert IEndings.QuorumWithoutModel(count, round.minAccepted);
    }

    function requireWhole(
        bytes32 modelDigest,
        bytes32 modelCid,
        bytes32 stateDigest,
        bytes32 verdictsRoot,
        bytes32 verdictsCid
    ) internal pure {
        if (verdictsRoot == 0) revert IMembership.MissingValue("verdictsRoot");
        if (verdictsCid == 0) revert IMembership.MissingValue("verdictsCid");
        if (modelDigest == 0) {
            if (modelCid != 0 || stateDigest != 0) revert IEndings.FailedResultNamesModel();
        } else if (modelCid == 0) {
            revert IMembership.MissingValue("modelCid");
        }
    }

    /// @dev Binds the chain and the contract too, so that a vote counts nowhere else.
    function digest(
        bytes32 lineageId,
        uint64 round,
        bytes32 modelDigest,
        bytes32 modelCid,
        bytes32 stateDigest,
        bytes32 verdictsRoot,
        bytes32 verdictsCid,
        uint256 accepted,
        bytes calldata codes
    ) internal view returns (bytes32) {
        return
            keccak256(
                abi.encode(
                    block.chainid,
                    address(this),
                    lineageId,
                    round,
                    modelDigest,
                    modelCid,
                    stateDigest,
                    verdictsRoot,
                    verdictsCid,
                    accepted,
                    codes
                )
            );
    }
}
