//! Certificates that the test node's own CA signs and its talosconfigs do not have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use talos::config::InlineCredentials;

use crate::node::TestNode;

/// Credentials under the node's CA, with these organizations and uses.
pub(crate) fn signed(test: &TestNode, organizations: &[&str], uses: Vec<ExtendedKeyUsagePurpose>) -> InlineCredentials {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = name(organizations);
    params.extended_key_usages = uses;
    let certificate = params.signed_by(&key, &authority(test)).unwrap();
    let ca_certificate = test.credentials("talosconfig").ca_certificate;
    InlineCredentials { ca_certificate, client_certificate: certificate.pem(), client_key: key.serialize_pem().into() }
}

/// The CA whose subject is `O=talos`, in the encoding that Go gives it: names are compared byte by byte.
fn authority(test: &TestNode) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&["talos"]);
    Issuer::new(params, KeyPair::from_pem(&authority_key(test)).unwrap())
}

fn name(organizations: &[&str]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for organization in organizations {
        name.push(DnType::OrganizationName, DnValue::PrintableString((*organization).try_into().unwrap()));
    }
    name
}

/// `certs: os: key:` of the secrets, a PEM with Talos's own label.
fn authority_key(test: &TestNode) -> String {
    let secrets = std::fs::read_to_string(test.path("pki").join("secrets.yaml")).unwrap();
    let (_, os) = secrets.split_once("\n    os:").unwrap();
    let key = os.lines().find_map(|line| line.trim().strip_prefix("key:")).unwrap();
    let pem = String::from_utf8(STANDARD.decode(key.trim()).unwrap()).unwrap();
    pem.replace("ED25519 PRIVATE KEY", "PRIVATE KEY")
}
