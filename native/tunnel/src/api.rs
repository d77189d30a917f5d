//! What other parts of a process exchange with a [`crate::Node`]: names of streams, and notices about them.

use std::net::SocketAddrV4;

/// One pod of a node: its place in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PodId(pub u32);

/// One tunnel, or a request for one; never used twice within 2³² openings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamId {
    /// Place in the node's table of streams: small, dense, reused.
    pub index: u32,
    /// Tells apart streams that had the same place.
    pub generation: u32,
}

/// There is no way to the destination: the pod has no route to it, or its proxy cannot be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no way to the destination")]
pub struct NoWay;

/// What has happened to streams that the caller opened, or that arrived for a pod which the caller serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A peer calls a pod that the caller serves ([`crate::Node::serve`]): answer by `accept` or `refuse`.
    Arrived {
        /// The new stream.
        stream: StreamId,
        /// The pod that is called.
        pod: PodId,
        /// Who calls: the peer's application, as its proxy names it (`forwarded`), else the peer's own address.
        from: SocketAddrV4,
        /// The pod's address and the port that is called.
        to: SocketAddrV4,
    },
    /// An opening was granted. Bytes may be written before that already.
    Opened(StreamId),
    /// An opening failed; the stream is gone.
    Refused {
        /// The stream that was opened.
        stream: StreamId,
        /// HTTP status of the peer's answer; none when its connection failed.
        status: Option<u16>,
    },
    /// Reading gets further: bytes, the end, or [`Read::Reset`].
    Readable(StreamId),
    /// Writing gets further, or [`Wrote::Broken`].
    Writable(StreamId),
}

/// Answer of [`crate::Node::read_with`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// So many bytes were taken by the caller.
    Taken(usize),
    /// Nothing now; [`Notice::Readable`] will follow.
    Pending,
    /// The peer has finished its half; everything was read.
    Finished,
    /// The peer, or its connection, has cut the stream off. It is the caller's to `reset`, which forgets it.
    Reset,
}

/// Answer of [`crate::Node::write_with`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrote {
    /// So many bytes were taken, at least one.
    Taken(usize),
    /// No room now; [`Notice::Writable`] will follow.
    Pending,
    /// The peer takes no more bytes. It is the caller's to `reset`, which forgets the stream.
    Broken,
}
