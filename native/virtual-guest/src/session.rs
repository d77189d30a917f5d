//! Attaching to a device: the vhost-user conversation, as an honest front end holds it.

#![forbid(unsafe_code)]

use crate::memory::{BASE, Memory};
use crate::options::Options;
use crate::ring::Ring;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use vhost::vhost_user::message::{
    VhostUserConfigFlags, VhostUserHeaderFlag, VhostUserProtocolFeatures, VhostUserVirtioFeatures,
};
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;
use virtio_bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};

/// Rings of a vsock device: receive, transmit, event.
pub const RINGS: usize = 3;

/// Why a guest could not be attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Nobody listens.
    #[error("{path}: {source}", path = path.display())]
    Connect {
        /// The device's socket.
        path: PathBuf,
        /// What connect(2) said.
        source: io::Error,
    },
    /// The device does not go along.
    #[error("{step}: {source}")]
    Step {
        /// The message at which it happened.
        step: &'static str,
        /// What was wrong.
        source: vhost::Error,
    },
    /// The device lacks something.
    #[error("the device does not offer {0}")]
    Lacks(&'static str),
    /// No memory, or no descriptors.
    #[error("the guest's memory: {0}")]
    Memory(#[from] io::Error),
}

/// Says at which step a vhost-user call failed.
trait At<T> {
    fn at(self, step: &'static str) -> Result<T, AttachError>;
}

impl<T> At<T> for Result<T, vhost::Error> {
    fn at(self, step: &'static str) -> Result<T, AttachError> {
        self.map_err(|source| AttachError::Step { step, source })
    }
}

/// A conversation with a device, features agreed.
pub(crate) struct Session {
    frontend: Frontend,
    /// The same socket, to be watched for its end.
    pub control: UnixStream,
    /// What the device says the guest's CID is.
    pub cid: Option<u64>,
    /// Agreed on.
    pub event_idx: bool,
    /// Agreed on.
    pub indirect: bool,
}

impl Session {
    /// Connects and agrees on features.
    pub fn open(path: &Path, options: &Options) -> Result<Self, AttachError> {
        let connect = |source| AttachError::Connect { path: path.to_owned(), source };
        let control = UnixStream::connect(path).map_err(connect)?;
        let mut frontend = Frontend::from_stream(control.try_clone()?, RINGS as u64);
        frontend.set_owner().at("SET_OWNER")?;
        let offered = frontend.get_features().at("GET_FEATURES")?;
        let version = 1 << VIRTIO_F_VERSION_1;
        if offered & version == 0 {
            return Err(AttachError::Lacks("VIRTIO_F_VERSION_1"));
        }
        let protocol = VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
        if offered & protocol == 0 {
            return Err(AttachError::Lacks("VHOST_USER_F_PROTOCOL_FEATURES"));
        }
        let wish = |wanted: bool, bit: u32| if wanted { offered & (1 << bit) } else { 0 };
        let event_idx = wish(options.event_idx, VIRTIO_RING_F_EVENT_IDX);
        let indirect = wish(options.indirect, VIRTIO_RING_F_INDIRECT_DESC);
        if options.indirect && indirect == 0 {
            return Err(AttachError::Lacks("VIRTIO_RING_F_INDIRECT_DESC"));
        }
        let extra = frontend.get_protocol_features().at("GET_PROTOCOL_FEATURES")?
            & (VhostUserProtocolFeatures::CONFIG | VhostUserProtocolFeatures::REPLY_ACK);
        frontend.set_protocol_features(extra).at("SET_PROTOCOL_FEATURES")?;
        if extra.contains(VhostUserProtocolFeatures::REPLY_ACK) {
            frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
        }
        let cid = if extra.contains(VhostUserProtocolFeatures::CONFIG) { Some(read_cid(&mut frontend)?) } else { None };
        frontend.set_features(version | protocol | event_idx | indirect).at("SET_FEATURES")?;
        Ok(Self { frontend, control, cid, event_idx: event_idx != 0, indirect: indirect != 0 })
    }

    /// Shares the memory and starts the rings.
    pub fn start(&mut self, memory: &Memory, rings: [&Ring; RINGS]) -> Result<(), AttachError> {
        let region = VhostUserMemoryRegionInfo {
            guest_phys_addr: BASE,
            memory_size: memory.size() as u64,
            userspace_addr: memory.user_address(0),
            mmap_offset: 0,
            mmap_handle: memory.file().as_raw_fd(),
        };
        self.frontend.set_mem_table(&[region]).at("SET_MEM_TABLE")?;
        for (index, ring) in rings.into_iter().enumerate() {
            self.start_ring(index, memory, ring)?;
        }
        for index in 0..RINGS {
            self.frontend.set_vring_enable(index, true).at("SET_VRING_ENABLE")?;
        }
        Ok(())
    }

    fn start_ring(&self, index: usize, memory: &Memory, ring: &Ring) -> Result<(), AttachError> {
        let (size, places) = (ring.size(), ring.places());
        let addresses = VringConfigData {
            queue_max_size: size,
            queue_size: size,
            flags: 0,
            desc_table_addr: memory.user_address(places.descriptors),
            used_ring_addr: memory.user_address(places.used),
            avail_ring_addr: memory.user_address(places.available),
            log_addr: None,
        };
        self.frontend.set_vring_num(index, size).at("SET_VRING_NUM")?;
        self.frontend.set_vring_base(index, 0).at("SET_VRING_BASE")?;
        self.frontend.set_vring_addr(index, &addresses).at("SET_VRING_ADDR")?;
        self.frontend.set_vring_call(index, ring.call()).at("SET_VRING_CALL")?;
        self.frontend.set_vring_kick(index, ring.kick()).at("SET_VRING_KICK")
    }

    /// Stops the rings, as a guest that shuts down; how far the device had come in each.
    pub fn stop(&mut self) -> Result<[u32; RINGS], AttachError> {
        let mut bases = [0; RINGS];
        for (index, base) in bases.iter_mut().enumerate() {
            self.frontend.set_vring_enable(index, false).at("SET_VRING_ENABLE")?;
            *base = self.frontend.get_vring_base(index).at("GET_VRING_BASE")?;
        }
        Ok(bases)
    }
}

fn read_cid(frontend: &mut Frontend) -> Result<u64, AttachError> {
    let (_, bytes) =
        frontend.get_config(0, 8, VhostUserConfigFlags::empty(), &[0; 8]).at("GET_CONFIG (the guest's CID)")?;
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| AttachError::Lacks("a CID of 8 bytes"))?))
}
