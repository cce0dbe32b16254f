//! AES-128 as playlists use it: whole resources in CBC mode with PKCS#7 padding (RFC 8216, section
//! 4.3.2.4).

use aes::Aes128;
use cbc::Decryptor;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};

/// The plain bytes; an error says why there are none.
pub(crate) fn decrypt(mut bytes: Vec<u8>, key: [u8; 16], iv: [u8; 16]) -> Result<Vec<u8>, String> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(16) {
        return Err(format!(
            "{} bytes are no whole number of blocks of 16: it was cut short, or is not encrypted",
            bytes.len()
        ));
    }
    let decryptor = Decryptor::<Aes128>::new(&key.into(), &iv.into());
    let plain = decryptor.decrypt_padded::<Pkcs7>(&mut bytes);
    let length = plain.map(<[u8]>::len).map_err(|_| {
        "its padding is wrong: another key or initialization vector, or it was cut short".to_owned()
    })?;
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::decrypt;

    /// NIST SP 800-38A, F.2.2: CBC-AES128, the first block; a second one of padding was made with
    /// `openssl enc -aes-128-cbc`.
    #[test]
    fn a_vector_of_the_standard() {
        let hex = |text: &str| -> Vec<u8> {
            let pairs = text.as_bytes().chunks(2);
            let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
            pairs.map(|p| pair(p).unwrap()).collect()
        };
        let array = |text: &str| <[u8; 16]>::try_from(hex(text)).unwrap();
        let key = array("2b7e151628aed2a6abf7158809cf4f3c");
        let iv = array("000102030405060708090a0b0c0d0e0f");
        let cipher = hex("7649abac8119b246cee98e9b12e9197d8964e0b149c10b7b682e6e39aaeb731c");
        let plain = hex("6bc1bee22e409f96e93d7e117393172a");
        assert_eq!(decrypt(cipher.clone(), key, iv), Ok(plain));
        let cut = decrypt(cipher[..20].to_vec(), key, iv).unwrap_err();
        assert!(
            cut.starts_with("20 bytes are no whole number of blocks"),
            "{cut}"
        );
        let wrong = decrypt(cipher, iv, iv).unwrap_err();
        assert!(wrong.starts_with("its padding is wrong"), "{wrong}");
    }
}
