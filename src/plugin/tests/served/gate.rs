//! The other end of the gate on which a call of the test provider waits.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        UnixListener,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A gate.
pub(crate) struct Gate {
    listener: UnixListener,
    directory: tempfile::TempDir,
}

impl Gate {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join("gate")).unwrap();
        Self { listener, directory }
    }

    /// For the attribute `gate`.
    pub(crate) fn path(&self) -> String {
        self.directory.path().join("gate").display().to_string()
    }

    /// The next call that comes to the gate.
    pub(crate) async fn arrival(&self) -> Arrival {
        let (read, write) = self.listener.accept().await.unwrap().0.into_split();
        let mut arrival = Arrival { lines: BufReader::new(read).lines(), write, name: String::new(), process: 0 };
        let first = arrival.says().await.unwrap();
        let (name, process) = first.split_once(' ').unwrap();
        (arrival.name, arrival.process) = (name.to_owned(), process.parse().unwrap());
        arrival
    }
}

/// A call that waits.
pub(crate) struct Arrival {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
    /// Which method it is.
    pub(crate) name: String,
    /// The provider's process.
    pub(crate) process: u32,
}

impl Arrival {
    /// Lets it go on.
    pub(crate) async fn let_pass(&mut self) {
        self.write.write_all(b".").await.unwrap();
    }

    /// What it says next: `passed`, `stopped`, or `None` when its process has ended.
    pub(crate) async fn says(&mut self) -> Option<String> {
        self.lines.next_line().await.unwrap()
    }
}
