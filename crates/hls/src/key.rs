//! Encryption of segments (`hls_keys`): AES-128 in CBC mode with PKCS #7 padding (RFC 8216 4.3.2.4).

use aes::Aes128;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use std::fmt;
use std::sync::Arc;

/// Size of a key and of an initialisation vector, in bytes.
const SIZE: usize = 16;

/// A key, where it is served, and the vector that goes with it.
#[derive(PartialEq, Eq)]
pub(crate) struct SegmentKey {
    /// Path below the root, without leading slash.
    pub(crate) path: String,
    pub(crate) bytes: [u8; SIZE],
    pub(crate) iv: [u8; SIZE],
}

impl SegmentKey {
    /// A random key, to be served at `path`.
    pub(crate) fn random(path: String) -> SegmentKey {
        SegmentKey { path, bytes: rand::random(), iv: rand::random() }
    }

    /// The whole of a segment, encrypted; 1 to 16 bytes longer.
    pub(crate) fn encrypt(&self, segment: &[u8]) -> Vec<u8> {
        let cipher = cbc::Encryptor::<Aes128>::new(&self.bytes.into(), &self.iv.into());
        cipher.encrypt_padded_vec::<Pkcs7>(segment)
    }
}

impl fmt::Debug for SegmentKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SegmentKey({})", self.path)
    }
}

/// The keys of one stream, one after the other.
#[derive(Debug, Default)]
pub(crate) struct KeyRing {
    current: Option<Arc<SegmentKey>>,
}

impl KeyRing {
    /// The key of segment number `sequence`: a new one each `per_key` segments. A new key whose path would be that of
    /// the one in force (a template without variables) is not made: segments listed already need the old one there.
    pub(crate) fn next(
        &mut self,
        sequence: u64,
        per_key: u32,
        path: impl FnOnce() -> String,
    ) -> Arc<SegmentKey> {
        let due = sequence.is_multiple_of(per_key.max(1).into());
        if let Some(key) = self.current.as_ref().filter(|_| !due) {
            return key.clone();
        }
        let path = path();
        let key = match self.current.take().filter(|key| key.path == path) {
            Some(key) => key,
            None => Arc::new(SegmentKey::random(path)),
        };
        self.current.insert(key).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cbc::cipher::BlockModeDecrypt;
    use proptest::prelude::*;

    #[test]
    fn the_cipher_is_the_one_of_nist() {
        // NIST SP 800-38A F.2.1, first block.
        let key = SegmentKey {
            path: String::new(),
            bytes: 0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128.to_be_bytes(),
            iv: 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f_u128.to_be_bytes(),
        };
        let out = key.encrypt(&0x6bc1_bee2_2e40_9f96_e93d_7e11_7393_172a_u128.to_be_bytes());
        assert_eq!(out.len(), 32, "a whole block is padded by another");
        assert_eq!(out[..16], 0x7649_abac_8119_b246_cee9_8e9b_12e9_197d_u128.to_be_bytes());
        assert!(!format!("{key:?}").contains("43"), "keys are not logged");
    }

    #[test]
    fn keys_turn_over() {
        let mut ring = KeyRing::default();
        let keys: Vec<_> = (2..10).map(|n| ring.next(n, 3, || format!("a-{n}.key"))).collect();
        let paths: Vec<&str> = keys.iter().map(|key| key.path.as_str()).collect();
        let (a, b, c, d) = ("a-2.key", "a-3.key", "a-6.key", "a-9.key");
        assert_eq!(paths, [a, b, b, b, c, c, c, d]);
        assert!(keys[0].bytes != keys[1].bytes && keys[0].iv != keys[1].iv && keys[1] == keys[3]);
    }

    #[test]
    fn one_path_is_one_key() {
        let mut ring = KeyRing::default();
        let first = ring.next(0, 1, || "a.key".into());
        assert_eq!(first, ring.next(1, 1, || "a.key".into()));
        assert_ne!(first, ring.next(2, 0, || "b.key".into()));
    }

    proptest! {
        #[test]
        fn what_is_encrypted_can_be_decrypted(plain in prop::collection::vec(any::<u8>(), 0..100)) {
            let key = SegmentKey::random("k".into());
            let cipher = cbc::Decryptor::<Aes128>::new(&key.bytes.into(), &key.iv.into());
            let again = cipher.decrypt_padded_vec::<Pkcs7>(&key.encrypt(&plain)).unwrap();
            prop_assert_eq!(again, plain);
        }
    }
}
