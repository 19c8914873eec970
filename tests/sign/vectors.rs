//! Keys, digests and signatures printed in the RFCs.

use saola::dns::{Rtype, master};
use saola::sign::{DnskeyText, Key, check_signature, ds};

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
