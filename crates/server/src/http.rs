use axum::Router;
use axum::extract::ConnectInfo;
use headwater_api::Peer;
use headwater_web::{Answering, Protocol};
use http::Request;
use hyper::body::Incoming;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// Connections of one control port; the next one waits in the kernel's backlog.
const CONNECTIONS_MAX: usize = 512;

/// A TLS handshake must be complete within this time.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause after a failed accept (out of descriptors), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` on the control runtime: API, console.
pub(crate) async fn serve(
    addr: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(addr).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(accept(listener, tls, router));
    Ok(bound)
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed, so acquiring can only wait.
        let place = places.clone().acquire_owned().await.ok();
        let (io, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed; raise the open-files limit if it says too many open files");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        io.set_nodelay(true).ok();
        let (tls, router) = (tls.clone(), router.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(io, Protocol::Http1, peer, router).await,
                Some(tls) => match tokio::time::timeout(TLS_TIMEOUT, tls.accept(io)).await {
                    Ok(Ok(io)) => {
                        let protocol = Protocol::negotiated(io.get_ref().1.alpn_protocol());
                        connection(io, protocol, peer, router).await;
                    }
                    Ok(Err(error)) => tracing::info!(%peer, %error, "TLS handshake failed"),
                    Err(_) => tracing::info!(%peer, "closed: no TLS handshake within {TLS_TIMEOUT:?}"),
                },
            }
            drop(place);
        });
    }
}

async fn connection(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    protocol: Protocol,
    peer: SocketAddr,
    router: Router,
) {
    let answer = move |mut request: Request<Incoming>| -> Answering {
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        Box::pin(async {
            let Ok(response) = answer.await;
            response
        })
    };
    if let Err(error) = headwater_web::serve(io, protocol, answer).await {
        tracing::debug!(%peer, %error, "http connection ended");
    }
}
