//! A hash that is the same on every machine and in every version: FNV-1a, 64 bit. For telling
//! things apart, not against an adversary.

/// The hash of `parts`, each closed off from the next.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut byte = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in parts {
        part.iter().for_each(|&b| byte(b));
        (part.len() as u64)
            .to_le_bytes()
            .into_iter()
            .for_each(&mut byte);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_ne!(hash(&[b""]), hash(&[]));
        assert_eq!(hash(&[]), 0xcbf2_9ce4_8422_2325);
    }
}
