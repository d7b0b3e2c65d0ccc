//! The token in an acknowledgement link: which alert, on whose behalf, until when, and proof that we made it.
//!
//! Separate from the pages, because the node's renderer writes tokens and the page reads them. Any node that
//! holds the key can check one; nothing is kept for it.
//!
//! A token is base64url (RFC 4648 §5, unpadded) over the bytes
//! `version(1) node(4) boot(8) seq(8) expiry(8) recipient(1..) mac(16)`, numbers big-endian; the last field is
//! HMAC-SHA-256 (RFC 2104) over all before it, cut to 128 bits.

use base::{AlertId, BootId, LogId, Name, NodeId, RecordId, Wall};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::fmt;

const VERSION: u8 = 1;
/// Bytes before the recipient's name.
const HEAD: usize = 29;
const MAC: usize = 16;
/// Characters of the longest token: a name of 64 characters of four bytes each.
const TOKEN_CHARS_MAX: usize = (HEAD + 4 * base::limits::NAME_CHARS_MAX + MAC).div_ceil(3) * 4;

/// The secret that links are signed with: 32 random bytes, the same on every node of a cluster.
#[derive(Clone)]
pub struct LinkKey(pub [u8; 32]);

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey")
    }
}

/// What a link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which alert.
    pub alert: AlertId,
    /// On whose behalf.
    pub recipient: Name,
    /// Until when.
    pub expiry: Wall,
}

/// Why a link does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was not made with this key, or was damaged on its way.
    #[error("the link is not one of ours, or was cut short on its way")]
    Forged,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

/// A token that was read but not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unchecked {
    link: Link,
    signed: Vec<u8>,
    mac: [u8; MAC],
}

/// The token of a link with which `recipient` acknowledges `alert` until `expiry`.
pub fn link_token(key: &LinkKey, alert: &AlertId, recipient: &Name, expiry: Wall) -> String {
    let mut bytes = Vec::with_capacity(HEAD + recipient.as_str().len() + MAC);
    bytes.push(VERSION);
    bytes.extend(alert.0.log.node.0.to_be_bytes());
    bytes.extend(alert.0.log.boot.0.to_be_bytes());
    bytes.extend(alert.0.seq.to_be_bytes());
    bytes.extend(expiry.0.to_be_bytes());
    bytes.extend(recipient.as_str().as_bytes());
    let mac = keyed(key, &bytes).finalize().into_bytes();
    bytes.extend(mac.iter().take(MAC));
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token without checking it. Takes any text.
pub fn read_token(token: &str) -> Option<Unchecked> {
    if token.len() > TOKEN_CHARS_MAX {
        return None;
    }
    let signed = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, mac) = signed.split_last_chunk::<MAC>()?;
    let (version, rest) = signed.split_first()?;
    let (node, rest) = rest.split_first_chunk()?;
    let (boot, rest) = rest.split_first_chunk()?;
    let (seq, rest) = rest.split_first_chunk()?;
    let (expiry, rest) = rest.split_first_chunk()?;
    if *version != VERSION {
        return None;
    }
    let log = LogId { node: NodeId(u32::from_be_bytes(*node)), boot: BootId(u64::from_be_bytes(*boot)) };
    let link = Link {
        alert: AlertId(RecordId { log, seq: u64::from_be_bytes(*seq) }),
        recipient: Name::new(std::str::from_utf8(rest).ok()?).ok()?,
        expiry: Wall(i64::from_be_bytes(*expiry)),
    };
    Some(Unchecked { link, signed: signed.to_vec(), mac: *mac })
}

/// What a token stands for, if it is ours and its time is not over at `now`.
///
/// # Errors
/// [`LinkError`].
pub fn check_token(key: &LinkKey, token: &str, now: Wall) -> Result<Link, LinkError> {
    let read = read_token(token).ok_or(LinkError::Forged)?;
    // Compares in constant time, so that a forger learns nothing from how long it takes.
    keyed(key, &read.signed).verify_truncated_left(&read.mac).map_err(|_| LinkError::Forged)?;
    if read.link.expiry < now { Err(LinkError::Expired) } else { Ok(read.link) }
}

fn keyed(key: &LinkKey, bytes: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes keys of any length");
    mac.update(b"steadfast link");
    mac.update(bytes);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> AlertId {
        AlertId(RecordId { log: LogId { node: NodeId(7), boot: BootId(1 << 32) }, seq: 17 })
    }

    #[test]
    fn a_token_reads_back_and_expires() {
        let key = LinkKey([7; 32]);
        let anna = Name::new("änna").unwrap();
        let token = link_token(&key, &alert(), &anna, Wall(1000));
        let link = Link { alert: alert(), recipient: anna, expiry: Wall(1000) };
        assert_eq!(check_token(&key, &token, Wall(1000)), Ok(link));
        assert_eq!(check_token(&key, &token, Wall(1001)), Err(LinkError::Expired));
        assert_eq!(check_token(&LinkKey([8; 32]), &token, Wall(0)), Err(LinkError::Forged));
        let longest = Name::new(&"泵".repeat(64)).unwrap();
        assert!(read_token(&link_token(&key, &alert(), &longest, Wall(1000))).is_some());
    }

    #[test]
    fn no_changed_character_is_taken() {
        let key = LinkKey([7; 32]);
        let token = link_token(&key, &alert(), &Name::new("anna").unwrap(), Wall(1000));
        for at in 0..token.len() {
            for other in ['A', 'b', '-', '=', 'é'] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, &other.to_string());
                if changed != token {
                    assert_eq!(check_token(&key, &changed, Wall(0)), Err(LinkError::Forged), "{changed}");
                }
            }
            assert_eq!(check_token(&key, &token[..at], Wall(0)), Err(LinkError::Forged));
        }
        assert_eq!(read_token(&"A".repeat(1_000_000)), None);
    }
}
