//! A way to a server that makes trouble when it is told to.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

use crate::ServerError;

/// What becomes of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing happens to them.
    None,
    /// Those there are end with a reset, and new ones are reset at once.
    Refuse,
    /// Whatever is sent is taken and goes nowhere, either way. A connection that lost something so ends with a reset when
    /// the trouble does: no network loses a part of a connection and delivers the rest.
    Silence,
    /// What the client sends goes nowhere; what the server sends still arrives. Ends as silence does.
    DeafServer,
    /// What the server sends goes nowhere; what the client sends still arrives. Ends as silence does.
    DeafClient,
    /// Every piece waits for so long before it goes on, either way.
    Delay(Duration),
    /// What the client sends is passed on until this comes by; then the connection is reset before it has gone on.
    ResetBefore(Vec<u8>),
    /// The same, but it goes on to the server, and the reset comes before the server's answer does.
    ResetAfter(Vec<u8>),
}

impl Trouble {
    fn loses_requests(&self) -> bool {
        matches!(self, Self::Silence | Self::DeafServer)
    }

    fn loses_answers(&self) -> bool {
        matches!(self, Self::Silence | Self::DeafClient)
    }
}

/// What became of one connection.
#[derive(Debug, Default)]
struct Fate {
    /// Its answers are held back, since it is about to be reset.
    is_muted: AtomicBool,
    /// Something of it went nowhere.
    is_torn: AtomicBool,
}

/// Listens on 127.0.0.1 and passes everything on to another port there. Ends with its value.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    trouble: Arc<watch::Sender<Trouble>>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Starts one in front of `target`, without trouble.
    ///
    /// # Errors
    /// - `Io`: no port is free.
    pub async fn start(target: u16) -> Result<Self, ServerError> {
        let io = |error| ServerError::io("the proxy cannot listen", error);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(io)?;
        let port = listener.local_addr().map_err(io)?.port();
        let trouble = Arc::new(watch::Sender::new(Trouble::None));
        let shared = Arc::clone(&trouble);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, target, Arc::clone(&shared)));
            }
        });
        Ok(Self {
            port,
            trouble,
            listening,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Changes what becomes of connections, the present ones included.
    pub fn make(&self, trouble: Trouble) {
        self.trouble.send_replace(trouble);
    }

    /// What becomes of connections now. A reset that was waited for is over once it has happened.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        self.trouble.borrow().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.make(Trouble::Refuse);
    }
}

async fn pass(client: TcpStream, target: u16, trouble: Arc<watch::Sender<Trouble>>) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, target));
    let Ok(server) = TcpStream::connect(address).await else {
        reset_when_dropped(&client);
        return;
    };
    // Small messages go on at once, as without a proxy.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    reset_when_dropped(&client);
    let fate = Fate::default();
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    tokio::select! {
        () = requests(client_reads, server_writes, Arc::clone(&trouble), &fate) => {}
        () = answers(server_reads, client_writes, Arc::clone(&trouble), &fate) => {}
        () = ended(&trouble, &fate) => {}
    }
}

/// Completes when the trouble is such that the connection must end.
async fn ended(trouble: &watch::Sender<Trouble>, fate: &Fate) {
    let mut changes = trouble.subscribe();
    let must_end = |trouble: &Trouble| {
        let loses = trouble.loses_requests() || trouble.loses_answers();
        *trouble == Trouble::Refuse || (!loses && fate.is_torn.load(Ordering::Acquire))
    };
    // The sender outlives this: it is held here.
    let _ = changes.wait_for(must_end).await;
}

/// Passes requests on until an end, or until the trouble ends the connection.
async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    trouble: Arc<watch::Sender<Trouble>>,
    fate: &Fate,
) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let piece = &piece[..length];
        let now = trouble.borrow().clone();
        match now {
            Trouble::ResetBefore(mark) if holds(piece, &mark) => {
                trouble.send_replace(Trouble::None);
                return;
            }
            Trouble::ResetAfter(mark) if holds(piece, &mark) => {
                trouble.send_replace(Trouble::None);
                fate.is_muted.store(true, Ordering::Release);
                // The server gets all of it and has a moment to act on it.
                let _ = to.write_all(piece).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
                return;
            }
            other => {
                if other.loses_requests() {
                    fate.is_torn.store(true, Ordering::Release);
                } else if pass_on(piece, &mut to, other).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Passes answers on until an end.
async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    trouble: Arc<watch::Sender<Trouble>>,
    fate: &Fate,
) {
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let now = trouble.borrow().clone();
        if fate.is_muted.load(Ordering::Acquire) {
            continue;
        }
        if now.loses_answers() {
            fate.is_torn.store(true, Ordering::Release);
        } else if pass_on(&piece[..length], &mut to, now).await.is_err() {
            return;
        }
    }
}

async fn pass_on(piece: &[u8], to: &mut OwnedWriteHalf, trouble: Trouble) -> std::io::Result<()> {
    if let Trouble::Delay(delay) = trouble {
        tokio::time::sleep(delay).await;
    }
    to.write_all(piece).await
}

fn holds(piece: &[u8], mark: &[u8]) -> bool {
    piece.windows(mark.len()).any(|window| window == mark)
}

/// Makes the end of a connection a reset and not an orderly close.
fn reset_when_dropped(stream: &TcpStream) {
    // A stream that is gone already needs none.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
