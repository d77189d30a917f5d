//! A pod as the proxy knows it.

#![forbid(unsafe_code)]

use crate::authority;
use crate::config::PodConfig;
use crate::identity::{Identity, IdentityError};
use crate::sockets::{Sockets, SourceAddress};
use http::HeaderValue;
use rustls::{ClientConfig, ServerConfig};
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Istio's sidecar reaches its application from here, which the sidecar's rules leave alone.
const SIDECAR_SOURCE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 6);

/// Where tunnels into the pod end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application {
    /// At a TCP socket of the pod.
    Tcp,
    /// At a Unix socket that takes a PROXY v2 header first.
    Unix(PathBuf),
}

/// Whom a destination's proxy must prove to be, and where it is.
#[derive(Debug)]
pub struct Route {
    /// SPIFFE id.
    pub peer: Rc<str>,
    /// Where the HBONE connection goes.
    pub target: Ipv4Addr,
    /// TLS that takes only this peer.
    pub tls: Arc<ClientConfig>,
}

/// A pod.
#[derive(Debug)]
pub struct Pod {
    /// In statistics.
    pub name: String,
    /// Its only address.
    pub address: Ipv4Addr,
    /// Its sockets.
    pub sockets: Sockets,
    /// TLS towards callers.
    pub tls: Arc<ServerConfig>,
    /// By original destination address.
    pub routes: HashMap<Ipv4Addr, Route>,
    /// SPIFFE ids.
    pub admits: HashSet<String>,
    /// Header of its tunnels.
    pub baggage: HeaderValue,
    /// Where tunnels into it end, unless the caller of the library serves it.
    pub application: Application,
    /// Tunnels into it are handed to the caller of the library.
    pub served: Cell<bool>,
}

/// Why a pod cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// Certificates and keys.
    #[error("pod «{0}»: {1}")]
    Identity(String, IdentityError),
    /// TLS does not take them.
    #[error("pod «{0}»: {1}")]
    Tls(String, rustls::Error),
    /// Its namespace cannot be opened.
    #[error("pod «{0}»: network namespace {1}: {2}")]
    Namespace(String, String, io::Error),
}

impl Pod {
    /// Reads the pod's files and opens its namespace.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn open(config: &PodConfig) -> Result<Self, PodError> {
        let name = || config.name.clone();
        let identity = Identity::read(config).map_err(|error| PodError::Identity(name(), error))?;
        let source = if config.sidecar { SourceAddress::Fixed(SIDECAR_SOURCE) } else { SourceAddress::Kept };
        let redirected = config.capture || config.sidecar;
        let own = if redirected { Ipv4Addr::UNSPECIFIED } else { config.address };
        let sockets = Sockets::new(config.netns.as_deref(), config.mark, own, source).map_err(|error| {
            let path = config.netns.as_ref().map(|path| path.display().to_string());
            PodError::Namespace(name(), path.unwrap_or_default(), error)
        })?;
        let routes = config.reaches.iter().map(|reach| {
            let tls = identity.client(&reach.peer)?;
            Ok((reach.to, Route { peer: reach.peer.as_str().into(), target: reach.via.unwrap_or(reach.to), tls }))
        });
        Ok(Self {
            name: name(),
            address: config.address,
            sockets,
            tls: identity.server().map_err(|error| PodError::Tls(name(), error))?,
            routes: routes.collect::<Result<_, _>>().map_err(|error| PodError::Tls(name(), error))?,
            admits: config.admits.iter().cloned().collect(),
            // Percent-encoded text is always a header value.
            baggage: HeaderValue::try_from(authority::baggage(&config.name)).unwrap_or(HeaderValue::from_static("")),
            application: config.inbound_socket.clone().map_or(Application::Tcp, Application::Unix),
            served: Cell::new(false),
        })
    }
}
