//! The certificate of the listener's own port: read at the start and again when asked, checked each time.
//!
//! Connections that are open keep the certificate they began with. A new file that is not usable changes nothing. TLS 1.2 and
//! 1.3 with the ring provider; ALPN offers http/1.1 only, so a client that wants nothing else is told so in the handshake.
//!
//! It does not ask clients for certificates: a key says who they are. TLS towards Postgres is in `tls.rs`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// A certificate that ends within this time is warned about.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// The certificate in use.
pub struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

/// Files that can be used, and what is to be said about them all the same.
pub(crate) struct Usable {
    config: Arc<ServerConfig>,
    pub(crate) warnings: Vec<String>,
}

impl Certificate {
    /// Reads the files. The error says which one is wrong, and why.
    pub(crate) fn load(files: TlsFiles) -> Result<Certificate, String> {
        let usable = read(&files)?;
        usable.warn();
        Ok(Certificate { files, current: RwLock::new(usable.config) })
    }

    /// Reads the files anew, for connections from now on. An error leaves all as it was.
    pub(crate) fn reload(&self) -> Result<(), String> {
        let usable = read(&self.files)?;
        usable.warn();
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = usable.config;
        Ok(())
    }

    /// What makes the handshake of one connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Usable {
    fn warn(&self) {
        for warning in &self.warnings {
            tracing::warn!("{warning}");
        }
    }
}

/// Reads and checks both files.
pub(crate) fn read(files: &TlsFiles) -> Result<Usable, String> {
    let TlsFiles { certificate, key } = files;
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable("tls_certificate", certificate, &error))?;
    let Some(first) = chain.first() else {
        return Err(unusable("tls_certificate", certificate, &pem::Error::NoItemsFound));
    };
    let mut warnings = Vec::new();
    warnings.extend(validity(first, certificate));
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable("tls_key", key, &error))?;
    warnings.extend(open_to_others(key));
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => format!(
                "tls_key {} is not the key of the certificate in {}. Give the two files that were made together",
                key.display(),
                certificate.display()
            ),
            error => format!("{} with {} is not usable: {error}", certificate.display(), key.display()),
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Usable { config: Arc::new(config), warnings })
}

/// Never what stands in the file: a parser's error could quote a key.
fn unusable(option: &str, path: &Path, error: &pem::Error) -> String {
    let why = match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound if option == "tls_key" => {
            "it holds no private key in PEM form (an encrypted one cannot be read: decrypt it first)"
                .to_owned()
        }
        pem::Error::NoItemsFound => "it holds no certificate in PEM form".to_owned(),
        _ => "it is not in PEM form".to_owned(),
    };
    format!("{option} {} is not usable: {why}", path.display())
}

/// What is wrong with the time of a certificate. Clients would refuse it; it is served all the same, so that a late renewal does
/// not also stop the clients that do not look.
fn validity(certificate: &CertificateDer<'_>, path: &Path) -> Option<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let path = path.display();
    match (error_at(certificate, now), error_at(certificate, now + SOON)) {
        (Some(webpki::Error::CertExpired { .. }), _) => {
            Some(format!("the certificate {path} has expired: renew it"))
        }
        (Some(webpki::Error::CertNotValidYet { .. }), _) => {
            Some(format!("the certificate {path} is not valid yet: look at this machine's clock"))
        }
        (_, Some(webpki::Error::CertExpired { .. })) => {
            Some(format!("the certificate {path} expires within two weeks: renew it, then send SIGHUP"))
        }
        _ => None,
    }
}

/// What the path building of webpki says about the certificate alone at some time. It looks at the time first.
fn error_at(certificate: &CertificateDer<'_>, time: Duration) -> Option<webpki::Error> {
    let time = UnixTime::since_unix_epoch(time);
    let usage = webpki::KeyUsage::server_auth();
    match webpki::EndEntityCert::try_from(certificate) {
        Ok(parsed) => parsed.verify_for_usage(&[], &[], &[], time, usage, None, None).err(),
        Err(error) => Some(error),
    }
}

/// A key that every user of the machine can read is no secret.
fn open_to_others(key: &Path) -> Option<String> {
    let mode = std::fs::metadata(key).ok()?.permissions().mode();
    (mode & 0o007 != 0).then(|| {
        format!(
            "every user of this machine can reach the private key: chmod o= {} (its mode is {:04o})",
            key.display(),
            mode & 0o7777
        )
    })
}
