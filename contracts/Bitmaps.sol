// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Counting and gathering bits
/// @notice A word at a time, without a loop over its bits.
library Bitmaps {
    uint256 private constant LOW_7_OF_8 = 0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f;
    uint256 private constant LOW_BYTE_OF_LANES = 0x00000000000000ff00000000000000ff00000000000000ff00000000000000ff;
    /// @dev Bits 0, 9, … 63.
    uint256 private constant GATHER_BYTES = 0x8040201008040201;
    /// @dev Bits 0, 72, 144, 216.
    uint256 private constant GATHER_LANES = 0x01000000000000000001000000000000000001000000000000000001;

    /// @notice How many bits of a word are set.
    /// @param word The word.
    /// @return bits 0 to 256.
    function count(uint256 word) internal pure returns (uint256 bits) {
        unchecked {
            word -= (word >> 1) & 0x5555555555555555555555555555555555555555555555555555555555555555;
            word =
                (word & 0x3333333333333333333333333333333333333333333333333333333333333333) +
                ((word >> 2) & 0x3333333333333333333333333333333333333333333333333333333333333333);
            word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f;
            // Sums of two bytes need nine bits: with sixteen-bit lanes the product's top lane holds up to 256.
            word = (word + (word >> 8)) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
            return (word * 0x0001000100010001000100010001000100010001000100010001000100010001) >> 240;
        }
    }

    /// @notice Which bytes of a string are zero.
    /// @param codes At most 256 bytes.
    /// @return bitmap Bit i is set if and only if byte i exists and is zero.
    function ofZeroBytes(bytes calldata codes) internal pure returns (uint256 bitmap) {
        uint256 length = codes.length;
        unchecked {
            for (uint256 offset = 0; offset < length; offset += 32) {
                uint256 word;
                // Reads past the end of the string only what `mask` below leaves out.
                assembly ("memory-safe") {
                    word := calldataload(add(codes.offset, offset))
                }
                // 1 in the lowest bit of every byte that is zero: adding 0x7f carries into bit 7 unless the low seven
                // bits are zero, and never beyond.
                word = (~(((word & LOW_7_OF_8) + LOW_7_OF_8) | word | LOW_7_OF_8)) >> 7;
                // Within each lane of eight bytes the multiplication puts the flag of byte k at bit 56 + k: flags stand
                // 8 apart and the factor's bits 9 apart, so no two partial products meet, not even across lanes.
                word = ((word * GATHER_BYTES) >> 56) & LOW_BYTE_OF_LANES;
                // The first lane is the highest: its byte comes to lie lowest.
                word = ((word * GATHER_LANES) >> 192) & 0xffffffff;
                bitmap |= word << offset;
            }
            if (length < 256) bitmap &= (1 << length) - 1;
        }
    }
}
