//! The Unix socket.

use std::{
    io,
    os::unix::{
        fs::{PermissionsExt, chown},
        net::{SocketAddr, UnixListener as StdListener},
    },
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

use super::{Address, Error};
use crate::handshake::Environment;

pub(crate) type Stream = UnixStream;

/// A socket that already listens: the CLI may connect before the runtime is up.
pub(crate) struct Bound {
    listener: StdListener,
    /// Where it is.
    pub(crate) address: Address,
}

impl Bound {
    /// Makes a new socket in the directory that the CLI chose.
    pub(crate) fn new(environment: &Environment) -> Result<Self, Error> {
        let path = free_path(&environment.socket_directory);
        let failed = |source| Error::Bind { address: path.display().to_string(), source };
        let listener = StdListener::bind(&path).map_err(failed)?;
        let bound = Self { listener, address: Address::Unix(path.clone()) };
        let set_up = bound.listener.set_nonblocking(true).and_then(|()| restrict(&path, 0o600)).map_err(failed);
        let shared = set_up.and_then(|()| match &environment.socket_group {
            Some(group) => share(&path, group).map_err(|source| Error::Group { group: group.clone(), source }),
            None => Ok(()),
        });
        if let Err(error) = shared {
            bound.address.unlink();
            return Err(error);
        }
        Ok(bound)
    }

    /// Joins the runtime.
    pub(crate) fn acceptor(self) -> io::Result<Acceptor> {
        UnixListener::from_std(self.listener).map(Acceptor)
    }
}

/// Takes connections.
pub(crate) struct Acceptor(UnixListener);

impl Acceptor {
    pub(crate) async fn accept(&self) -> io::Result<Stream> {
        self.0.accept().await.map(|(stream, _)| stream)
    }
}

/// A path that no socket has. An address holds about a hundred bytes, which a long TMPDIR fills: then `/tmp` has to do.
fn free_path(directory: &Path) -> PathBuf {
    let process = std::process::id();
    let moment = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().subsec_nanos();
    let name = format!("plugin{process}{moment:09}");
    let path = directory.join(&name);
    if SocketAddr::from_pathname(&path).is_ok() { path } else { Path::new("/tmp").join(name) }
}

fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

fn share(path: &Path, group: &str) -> io::Result<()> {
    let id = match group.parse() {
        Ok(id) => id,
        Err(_) => group_id(&std::fs::read_to_string("/etc/group")?, group)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such group in /etc/group"))?,
    };
    chown(path, None, Some(id))?;
    restrict(path, 0o660)
}

/// The number of a group in the text of `/etc/group`. Looking further (LDAP) would need the C library; a number always works.
fn group_id(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn environment(directory: &Path, group: Option<String>) -> Environment {
        Environment { socket_directory: directory.to_owned(), socket_group: group, ..Environment::default() }
    }

    fn path(bound: &Bound) -> PathBuf {
        PathBuf::from(bound.address.to_string())
    }

    #[test]
    fn the_socket_is_for_its_owner_and_can_be_unlinked() {
        let directory = tempfile::tempdir().unwrap();
        let bound = Bound::new(&environment(directory.path(), None)).unwrap();
        assert_eq!(std::fs::metadata(path(&bound)).unwrap().mode() & 0o777, 0o600);
        bound.address.unlink();
        assert!(!path(&bound).exists());
    }

    #[test]
    fn a_group_may_connect_when_it_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let own = std::fs::metadata(directory.path()).unwrap().gid();
        let bound = Bound::new(&environment(directory.path(), Some(own.to_string()))).unwrap();
        let metadata = std::fs::metadata(path(&bound)).unwrap();
        assert_eq!((metadata.mode() & 0o777, metadata.gid()), (0o660, own));
    }

    #[test]
    fn an_unknown_group_is_an_error_and_leaves_no_socket() {
        let directory = tempfile::tempdir().unwrap();
        let error = Bound::new(&environment(directory.path(), Some("no-such-group".to_owned()))).err().unwrap();
        assert!(error.to_string().contains("no-such-group"), "{error}");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_directory_that_is_too_long_for_an_address_is_not_used() {
        let long = Path::new("/").join("x".repeat(120));
        assert_eq!(free_path(&long).parent(), Some(Path::new("/tmp")));
        assert_eq!(free_path(Path::new("/run")).parent(), Some(Path::new("/run")));
    }

    #[test]
    fn a_group_is_found_by_its_name() {
        let groups = "root:x:0:\nstaff:x:50:me,you\nbad:x\n";
        assert_eq!(group_id(groups, "staff"), Some(50));
        assert_eq!(group_id(groups, "bad"), None);
        assert_eq!(group_id(groups, "x"), None);
    }
}
