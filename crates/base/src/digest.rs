//! SHA-256 over fields that cannot run into each other (FIPS 180-4).

use sha2::{Digest as _, Sha256};
use std::fmt;

/// A SHA-256 digest; names content by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Digest {
    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() != 64 || !bytes.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut out = [0; 32];
        for (at, slot) in out.iter_mut().enumerate() {
            *slot = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(out))
    }

    /// The first 128 bits.
    pub fn short(&self) -> u128 {
        self.0.iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
    }
}

/// Feeds fields to a digest, each with its length first, so that `("ab", "c")` and `("a", "bc")` differ.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts one for `purpose`, so that equal fields hashed for two purposes differ.
    pub fn new(purpose: &str) -> Self {
        Self::default().text(purpose)
    }

    /// Adds a field of bytes.
    #[must_use]
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.0.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(field);
        self
    }

    /// Adds a field of text.
    #[must_use]
    pub fn text(self, field: &str) -> Self {
        self.bytes(field.as_bytes())
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, field: u64) -> Self {
        self.bytes(&field.to_le_bytes())
    }

    /// The digest of all fields so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        assert_ne!(
            Hasher::new("t").text("ab").text("c").finish(),
            Hasher::new("t").text("a").text("bc").finish()
        );
        assert_ne!(Hasher::new("t").finish(), Hasher::new("u").finish());
    }

    #[test]
    fn a_digest_reads_back_as_written() {
        let digest = Hasher::new("t").number(7).finish();
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("zz"), None);
        assert_eq!(Digest::parse(&"é".repeat(32)), None);
    }
}
