//! CRC-16/Modbus: polynomial 0x8005 reflected, start 0xFFFF, sent low byte first.

/// The checksum of nothing.
pub(crate) const START: u16 = 0xFFFF;

/// The checksum of `bytes`. Over a whole frame, its checksum included, it is 0.
pub(crate) fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(START, |crc, byte| extend(crc, *byte))
}

/// The checksum of one byte more.
pub(crate) fn extend(crc: u16, byte: u8) -> u16 {
    (0..8).fold(crc ^ u16::from(byte), |crc, _| shift(crc))
}

const fn shift(crc: u16) -> u16 {
    if crc & 1 == 0 { crc >> 1 } else { (crc >> 1) ^ 0xA001 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors_come_out() {
        assert_eq!(crc(b"123456789"), 0x4B37, "the check value of the CRC catalogue");
        assert_eq!(crc(&[0x01, 0x03, 0x00, 0x00, 0x00, 0x0A]).to_le_bytes(), [0xC5, 0xCD]);
        assert_eq!(crc(&[0x11, 0x03, 0x00, 0x6B, 0x00, 0x03]).to_le_bytes(), [0x76, 0x87]);
        assert_eq!(crc(&[]), 0xFFFF);
    }

    #[test]
    fn a_whole_frame_sums_to_zero() {
        assert_eq!(crc(&[0x01, 0x03, 0x00, 0x00, 0x00, 0x0A, 0xC5, 0xCD]), 0);
    }
}
