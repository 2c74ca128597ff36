//! A server of a test's own routes, on loopback.

use std::net::{SocketAddr, TcpListener};

use axum::Router;

/// A running one. It ends with its value.
pub struct Served {
    pub address: SocketAddr,
    _end: tokio::sync::oneshot::Sender<()>,
}

impl Served {
    pub fn start(router: Router) -> Self {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = ended => {}
                }
            });
        });
        Self { address, _end: end }
    }
}
