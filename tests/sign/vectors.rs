//! Keys, digests and signatures printed in the RFCs.

use saola::dns::{Rtype, master};
use saola::sign::{DnskeyText, Key, KeyError, KeyTextError, check_signature, ds};

use super::name;

/// Key tag, DS and signature of one example; the private key, where printed, must belong to the public one.
#[track_caller]
fn check(zone: &str, key: &str, private: &str, tag: u16, digest: &str, record: (&str, Rtype, &str), signature: &str) {
    let text = DnskeyText::read(&format!("{zone} 3600 IN DNSKEY {key}")).expect("a DNSKEY");
    let dnskey = text.rdata();
    assert_eq!(text.tag(), tag);
    let rdata = |rtype, text: &str| master::parse_rdata(rtype, text, name(zone).as_ref()).expect("RDATA");
    let expected = rdata(Rtype::DS, digest);
    assert_eq!(ds(name(zone).as_ref(), &dnskey, expected[3]), Some(expected));
    if !private.is_empty() {
        let number = dnskey[3];
        let private = format!("Private-key-format: v1.2\nAlgorithm: {number} (X)\nPrivateKey: {private}\n");
        let read = Key::from_text(&format!("{zone} IN DNSKEY {key}"), &private).expect("a key");
        assert_eq!((read.tag(), read.dnskey()), (tag, &dnskey[..]));
        let other = private.replace("PrivateKey: ", "PrivateKey: A").replacen("=\n", "==\n", 1);
        assert!(Key::from_text(&format!("{zone} IN DNSKEY {key}"), &other).is_err());
    }
    let (owner, rtype, text) = record;
    let (data, mut rrsig) = (rdata(rtype, text), rdata(Rtype::RRSIG, signature));
    assert!(check_signature(name(owner).as_ref(), rtype, &[&data], &rrsig, &dnskey), "{owner}");
    *rrsig.last_mut().expect("a signature") ^= 1;
    assert!(!check_signature(name(owner).as_ref(), rtype, &[&data], &rrsig, &dnskey), "{owner}");
}

#[test]
fn rfc_6605_p256() {
    check(
        "example.net.",
        "257 3 13 (GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edb krSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==)",
        "GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=",
        55648,
        "55648 13 2 b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
        ("www.example.net.", Rtype::A, "192.0.2.1"),
        "A 13 3 3600 20100909100439 20100812100439 55648 example.net. \
         qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXA yGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
    );
}

#[test]
fn rfc_6605_p384() {
    check(
        "example.net.",
        "257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1 w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8 \
         /uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40",
        "WURgWHCcYIYUPWgeLmiPY2DJJk02vgrmTfitxgqcL4vwW7BOrbawVmVe0d9V94SR",
        10771,
        "10771 14 4 72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9b0563a9b5f4d288405c3008a946df983d6",
        ("www.example.net.", Rtype::A, "192.0.2.1"),
        "A 14 3 3600 20100909102025 20100812102025 10771 example.net. \
         /L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP 95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuz \
         WTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm",
    );
}

#[test]
fn rfc_8080_ed25519() {
    check(
        "example.com.",
        "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
        "ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=",
        3613,
        "3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
        ("example.com.", Rtype::MX, "10 mail.example.com."),
        // As errata 4935 and the key have it; the printed signature stands.
        "MX 15 2 3600 1440021600 1438207200 3613 example.com. \
         oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
    );
    check(
        "example.com.",
        "257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=",
        "DSSF3o0s0f+ElWzj9E/Osxw8hLpk55chkmx0LYN5WiY=",
        35217,
        "35217 15 2 401781b934e392de492ec77ae2e15d70f6575a1c0bc59c5275c04ebe80c6614c",
        ("example.com.", Rtype::MX, "10 mail.example.com."),
        "MX 15 2 3600 1440021600 1438207200 35217 example.com. \
         zXQ0bkYgQTEFyfLyi9QoiY6D8ZdYo4wyUhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg==",
    );
}

/// RFC 4034 §5.4 and RFC 4509 §2.3: one key, its SHA-1 and its SHA-256 digest. A DS can be made for algorithms that do not sign here.
#[test]
fn rfc_4509_ds() {
    let key = "dskey.example.com. 86400 IN DNSKEY 256 3 5 ( AQOeiiR0GOMYkDshWoSKz9Xz fwJr1AYtsmx3TGkJaNXVbfi/ \
               2pHm822aJ5iI9BMzNXxeYCmZ DRD99WYwYqUSdjMmmAphXdvx egXd/M5+X7OrzKBaMbCVdFLU Uh6DhweJBjEVv5f2wwjM9Xzc \
               nOf+EPbtG9DMBmADjFDc2w/r ljwvFw== ) ;  key id = 60485";
    let key = DnskeyText::read(key).expect("a DNSKEY");
    assert_eq!(key.tag(), 60485);
    let zone = name("dskey.example.com.");
    for text in
        ["60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", "60485 5 2 D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A"]
    {
        let expected = master::parse_rdata(Rtype::DS, text, zone.as_ref()).expect("a DS");
        // The owner counts in lower case (RFC 4034 §5.1.4).
        assert_eq!(ds(name("DSkey.EXAMPLE.com.").as_ref(), &key.rdata(), expected[3]), Some(expected), "{text}");
    }
    assert_eq!(ds(zone.as_ref(), &key.rdata(), 3), None, "GOST is not known here");
}

/// RFC 5702 §6.1: the key has 512 bits, which is read and has its tag, and neither signs nor verifies here.
#[test]
fn rfc_5702_rsa_of_512_bits() {
    let key = "example.net. 3600 IN DNSKEY (256 3 8 AwEAAcFcGsaxxdgiuuGmCkVI my4h99CqT7jwY3pexPGcnUFtR2Fh36BponcwtkZ4cAgtvd4Qs8P \
               kxUdp6p/DlUmObdk= );{id = 9033 (zsk), size = 512b}";
    let read = DnskeyText::read(key).expect("a DNSKEY");
    assert_eq!(read.tag(), 9033);
    let private = "Private-key-format: v1.2\nAlgorithm:       8 (RSASHA256)\n\
        Modulus:         wVwaxrHF2CK64aYKRUibLiH30KpPuPBjel7E8ZydQW1HYWHfoGmidzC2RnhwCC293hCzw+TFR2nqn8OVSY5t2Q==\n\
        PublicExponent:  AQAB\n\
        PrivateExponent: UR44xX6zB3eaeyvTRzmskHADrPCmPWnr8dxsNwiDGHzrMKLN+i/HAam+97HxIKVWNDH2ba9Mf1SA8xu9dcHZAQ==\n\
        Prime1:          4c8IvFu1AVXGWeFLLFh5vs7fbdzdC6U82fduE6KkSWk=\n\
        Prime2:          2zZpBE8ZXVnL74QjG4zINlDfH+EOEtjJJ3RtaYDugvE=\n\
        Exponent1:       G2xAPFfK0KGxGANDVNxd1K1c9wOmmJ51mGbzKFFNMFk=\n\
        Exponent2:       GYxP1Pa7CAwtHm8SAGX594qZVofOMhgd6YFCNyeVpKE=\n\
        Coefficient:     icQdNRjlZGPmuJm2TIadubcO8X7V4y07aVhX464tx8Q=\n";
    assert_eq!(Key::from_text(key, private).map(|_| ()), Err(KeyTextError::Key(KeyError::RsaSize(512))));
    let zone = name("example.net.");
    let a = [192, 0, 2, 91];
    let signature = "A 8 3 3600 20300101000000 20000101000000 9033 example.net. kRCOH6u7l0QGy9qpC9l1sLncJcOKFLJ7GhiUOibu4teYp5VE9Rncri\
                     ShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==";
    let rrsig = master::parse_rdata(Rtype::RRSIG, signature, zone.as_ref()).expect("RDATA");
    assert!(!check_signature(name("www.example.net.").as_ref(), Rtype::A, &[&a], &rrsig, &read.rdata()));
}
