//! Compression by the proxy, as gzip.
//!
//! The proxy's foreign function `compress` gives zlib (RFC 1950): two bytes, a deflate stream, four bytes of checksum. HTTP's `gzip` (RFC 1952)
//! is the same stream between other bytes.

use portcullis_core::delivery::Compressor;

use crate::hostcalls::call_foreign_function;

/// Identification, deflate, no flags, no time, no hints, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The proxy's compression.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProxyCompressor;

impl Compressor for ProxyCompressor {
    fn gzip(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        from_zlib(&call_foreign_function("compress", bytes).ok()?, bytes)
    }
}

/// What stands between the bytes that are zlib's own, between those of gzip.
fn from_zlib(zlib: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
    const DEFLATE: u8 = 8;
    const DICTIONARY: u8 = 0x20;
    let [method, flags, rest @ ..] = zlib else { return None };
    let is_zlib = method & 0x0f == DEFLATE && flags & DICTIONARY == 0 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31);
    let (deflated, checksum) = rest.split_last_chunk::<4>()?;
    if !is_zlib || deflated.is_empty() || u32::from_be_bytes(*checksum) != adler32(bytes) {
        return None;
    }
    let length = u32::try_from(bytes.len()).ok()?;
    Some([&HEADER[..], deflated, &crc32(bytes).to_le_bytes(), &length.to_le_bytes()].concat())
}

/// RFC 1950 section 8: proves that the stream is one of these bytes, as far as a proxy that lies by accident goes.
fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    /// So many bytes can be added up before the sums overflow.
    const STRETCH: usize = 5552;
    let (mut low, mut high) = (1_u32, 0_u32);
    for stretch in bytes.chunks(STRETCH) {
        for byte in stretch {
            low += u32::from(*byte);
            high += low;
        }
        low %= MODULUS;
        high %= MODULUS;
    }
    (high << 16) | low
}

/// RFC 1952 section 8.
const CRC_TABLE: [u32; 256] = crc_table();

#[allow(clippy::indexing_slicing, reason = "computed when compiled, where an index out of bounds is an error")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 0 { value >> 1 } else { 0xedb8_8320 ^ (value >> 1) };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let [low, ..] = crc.to_le_bytes();
        CRC_TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default() ^ (crc >> 8)
    };
    !bytes.iter().fold(u32::MAX, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_rfcs() {
        assert_eq!((crc32(b""), adler32(b"")), (0, 1));
        assert_eq!((crc32(b"123456789"), adler32(b"123456789")), (0xcbf4_3926, 0x091e_01de));
        assert_eq!(adler32(&[0xff; 1_000_000]), 0x3843_e1be);
    }

    /// `zlib.compress(b"portcullis")` of Python.
    const ZLIB: [u8; 18] =
        [0x78, 0x9c, 0x2b, 0xc8, 0x2f, 0x2a, 0x49, 0x2e, 0xcd, 0xc9, 0xc9, 0x2c, 0x06, 0x00, 0x17, 0xe1, 0x04, 0x52];

    #[test]
    fn puts_gzips_bytes_around_the_stream() {
        let bytes = b"portcullis";
        let gzip = from_zlib(&ZLIB, bytes).unwrap();
        assert_eq!(gzip[..10], HEADER);
        assert_eq!(gzip[10..22], ZLIB[2..14]);
        assert_eq!(gzip[22..26], crc32(bytes).to_le_bytes());
        assert_eq!(gzip[26..], 10_u32.to_le_bytes());
    }

    #[test]
    fn takes_nothing_else_for_zlib() {
        let bytes = b"portcullis";
        for length in 0..ZLIB.len() {
            assert_eq!(from_zlib(&ZLIB[..length], bytes), None, "{length}");
        }
        assert_eq!(from_zlib(&ZLIB, b"portcullos"), None);
        assert_eq!(from_zlib(bytes, bytes), None);
    }
}
