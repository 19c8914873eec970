//! Certificates for tests: an authority, and those it vouches for.
//!
//! Used by several test programs, each of which needs a part of it.
#![allow(dead_code)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use saola::transfer::trust::{Authority, Pin, Trust};
use saola::transport::tls::{Credentials, read_certificates};

/// A certificate and its key in PEM.
pub struct Paper {
    pub certificate: String,
    pub key: String,
}

impl Paper {
    fn new(params: &CertificateParams, issuer: Option<&Issuer<'_, KeyPair>>) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = match issuer {
            Some(issuer) => params.signed_by(&key, issuer),
            None => params.self_signed(&key),
        };
        Self { certificate: certificate.expect("a certificate").pem(), key: key.serialize_pem() }
    }

    /// Writes `NAME.pem` and `NAME.key`, the key for its owner alone.
    pub fn write(&self, folder: &Path, name: &str) {
        std::fs::write(folder.join(format!("{name}.pem")), &self.certificate).expect("written");
        let key = folder.join(format!("{name}.key"));
        std::fs::write(&key, &self.key).expect("written");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("mode");
    }

    /// For a name, by nobody but itself.
    pub fn alone(name: &str) -> Self {
        Self::new(&params(name), None)
    }

    pub fn credentials(&self) -> Credentials {
        Credentials::read(&self.certificate, &self.key).unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        read_certificates(&self.certificate).expect("certificates")
    }

    pub fn pin(&self) -> Trust {
        Trust::Pin(Pin::of(&self.chain()[0]).expect("a certificate"))
    }

    /// Trusts this certificate to vouch for a name.
    pub fn for_name(&self, name: &str) -> Trust {
        Trust::Authority(Arc::new(Authority::new(&self.chain(), name).expect("a name")))
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    // Who is named like its authority is taken for one that signed itself.
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// An authority and those it vouches for.
pub struct Papers {
    pub authority: Paper,
    pub server: Paper,
    pub edge: Paper,
    pub expired: Paper,
    /// In the name of the edge, by another authority.
    pub stranger: Paper,
}

impl Papers {
    pub fn new() -> Self {
        let ((authority, own), (_, other)) = (authority(), authority());
        let mut old = params("edge1.example");
        (old.not_before, old.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
        Self {
            authority,
            server: Paper::new(&params("ns0.example"), Some(&own)),
            edge: Paper::new(&params("edge1.example"), Some(&own)),
            expired: Paper::new(&old, Some(&own)),
            stranger: Paper::new(&params("edge1.example"), Some(&other)),
        }
    }
}

fn authority() -> (Paper, Issuer<'static, KeyPair>) {
    let mut params = params("authority.example");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    (Paper { certificate, key: key.serialize_pem() }, Issuer::new(params, key))
}
