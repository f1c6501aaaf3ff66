//! Mutual TLS between the CLI and this process: each side trusts one certificate, the other's, and nothing else.
//!
//! The client certificate is self-signed, for a P-521 key, and marked as a CA, which a webpki verifier refuses in an end
//! entity. Since exactly one certificate is right, it is compared byte for byte instead. ring cannot verify P-521, so
//! that one scheme comes from the `p521` crate; aws-lc-rs could, but adds megabytes and, unless built with care, 20 ms.

use std::sync::Arc;

use p521::ecdsa::{Signature, VerifyingKey, signature::Verifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, PeerIncompatible, ServerConfig,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature},
    server::{
        NoServerSessionStorage,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, PrivateKeyDer, PrivatePkcs8KeyDer,
    SignatureVerificationAlgorithm, UnixTime, alg_id, pem::PemObject,
};
use tokio_rustls::TlsAcceptor;

/// The only application protocol. grpc-go refuses a server that does not agree on it since 1.67.
pub(crate) const ALPN: &[u8] = b"h2";

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("PLUGIN_CLIENT_CERT holds no certificate in PEM")]
    ClientCertificate(#[source] rustls_pki_types::pem::Error),
    #[error("making a certificate for this process")]
    OwnCertificate(#[source] rcgen::Error),
    #[error("setting up TLS")]
    Setup(#[source] TlsError),
}

/// The server half of one process.
pub(crate) struct Server {
    /// Accepts the client of `PLUGIN_CLIENT_CERT`.
    pub(crate) acceptor: TlsAcceptor,
    /// What the client has to trust.
    pub(crate) certificate: CertificateDer<'static>,
}

impl Server {
    /// A new key and certificate, never stored, for the client whose certificate this is.
    pub(crate) fn for_client(pem: &str) -> Result<Self, Error> {
        let client = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(Error::ClientCertificate)?;
        let key = rcgen::KeyPair::generate().map_err(Error::OwnCertificate)?;
        let certificate = rcgen::CertificateParams::new(["localhost".to_owned()])
            .and_then(|params| params.self_signed(&key))
            .map_err(Error::OwnCertificate)?
            .der()
            .clone();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));

        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(OnlyClient::new(client, &crypto));
        let mut config = ServerConfig::builder_with_provider(crypto)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(Error::Setup)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate.clone()], key)
            .map_err(Error::Setup)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // One client, one connection: there is nothing to resume.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), certificate })
    }
}

/// Accepts one client certificate, by its bytes, and the proof that the client holds its key.
#[derive(Debug)]
struct OnlyClient {
    certificate: CertificateDer<'static>,
    ring: WebPkiSupportedAlgorithms,
}

impl OnlyClient {
    fn new(certificate: CertificateDer<'static>, crypto: &CryptoProvider) -> Self {
        Self { certificate, ring: crypto.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for OnlyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        if *end_entity == self.certificate {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Err(PeerIncompatible::Tls12NotOffered.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = if signature.scheme == SignatureScheme::ECDSA_NISTP521_SHA512 { &P521 } else { &self.ring };
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        [P521.supported_schemes(), self.ring.supported_schemes()].concat()
    }
}

static P521: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[&EcdsaP521Sha512],
    mapping: &[(SignatureScheme::ECDSA_NISTP521_SHA512, &[&EcdsaP521Sha512])],
};

/// ECDSA over P-521 with SHA-512: what Terraform and OpenTofu sign with.
#[derive(Debug)]
struct EcdsaP521Sha512;

impl SignatureVerificationAlgorithm for EcdsaP521Sha512 {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA512
    }

    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = Signature::from_der(signature).map_err(|_| InvalidSignature)?;
        key.verify(message, &signature).map_err(|_| InvalidSignature)
    }
}

#[cfg(test)]
mod tests {
    use p521::{
        ecdsa::{SigningKey, signature::Signer},
        elliptic_curve::rand_core::OsRng,
    };

    use super::*;

    #[test]
    fn a_signature_of_p521_is_good_for_its_key_and_message_alone() {
        let (key, other) = (SigningKey::random(&mut OsRng), SigningKey::random(&mut OsRng));
        let point = |key: &SigningKey| VerifyingKey::from(key).to_encoded_point(false).as_bytes().to_vec();
        let signature: Signature = key.sign(b"handshake");
        let der = signature.to_der();
        let verify = |key: &SigningKey, message, der| EcdsaP521Sha512.verify_signature(&point(key), message, der);
        assert!(verify(&key, b"handshake", der.as_bytes()).is_ok());
        assert!(verify(&key, b"handshakf", der.as_bytes()).is_err());
        assert!(verify(&other, b"handshake", der.as_bytes()).is_err());
        assert!(verify(&key, b"handshake", &der.as_bytes()[1..]).is_err());
        assert!(EcdsaP521Sha512.verify_signature(b"no point", b"handshake", der.as_bytes()).is_err());
    }

    #[test]
    fn the_schemes_of_every_cli_are_offered() {
        let crypto = rustls::crypto::ring::default_provider();
        let schemes = OnlyClient::new(CertificateDer::from(vec![]), &crypto).supported_verify_schemes();
        for scheme in [SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::ECDSA_NISTP256_SHA256] {
            assert!(schemes.contains(&scheme), "{scheme:?}");
        }
    }
}
