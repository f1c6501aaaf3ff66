//! The certificate authority of one cluster, and what it signs.

use anyhow::{Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// X.520's organizationName. rcgen keeps one value for each type, and a user may be in a second group.
const ORGANIZATION: [u64; 4] = [2, 5, 4, 10];

/// The group whose members may do everything.
pub(crate) const ADMINISTRATORS: &str = "system:masters";

/// A certificate and its key, both PEM.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Signs everything in a cluster: servers and clients alike.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    pub(crate) fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("kubernetes", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its own certificate, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// For everything that serves on loopback: the API server, a played kubelet, and a proxy in front of either.
    pub(crate) fn server(&self) -> Result<Identity> {
        let mut params = CertificateParams::new(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        params.distinguished_name = named("loopback", &[])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    /// For a user of the API: Kubernetes takes the common name as the user and the organizations as the groups.
    pub(crate) fn client(&self, user: &str, groups: &[&str]) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(user, groups)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

/// The pair of keys that signs tokens of service accounts: private and public, both PEM.
pub(crate) fn token_keys() -> Result<(String, String)> {
    let key = KeyPair::generate()?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

fn named(name: &str, groups: &[&str]) -> Result<DistinguishedName> {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    match groups {
        [] => {}
        [one] => named.push(DnType::OrganizationName, *one),
        [one, two] => {
            named.push(DnType::OrganizationName, *one);
            named.push(DnType::CustomDnType(ORGANIZATION.to_vec()), *two);
        }
        more => bail!("a user of the tests can be in two groups and {name} is to be in {}", more.len()),
    }
    Ok(named)
}
