//! What the GPU process has told, as the cycle and the faces see it.

use std::sync::Arc;

use eisbach_protocol::gpu_link::{DriverState, GpuEvent, GpuSample, Throttle, Verdict};
use eisbach_protocol::units::Millis;

/// Whether the GPU process can be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// No.
    #[default]
    Down,
    /// Yes.
    Up,
}

/// Everything the GPU process has told. While the link is down it is the last that was heard, and ages.
#[derive(Clone, Debug)]
pub struct GpuView {
    /// Whether the GPU process can be heard.
    pub link: LinkState,
    /// State of the driver, as last heard; starting until then.
    pub driver: DriverState,
    /// Version of the driver; empty while there is none.
    pub driver_version: heapless::String<32>,
    /// When the driver's state was last heard.
    pub heard_at: Option<Millis>,
    /// Time until the GPU process takes the driver again by itself, as last heard.
    pub detached_left: Millis,
    /// Whether the driver lets the GPU process set limits, as far as it knows.
    pub may_throttle: bool,
    /// GPUs heard of, by index.
    pub gpus: Vec<GpuEntry>,
    /// The latest request for each GPU that had one, by index.
    pub requests: Vec<GpuRequest>,
    /// When a GPU last reported an error that is not in its sample, by index.
    pub errors: Vec<(GpuEvent, Millis)>,
}

/// A GPU process speaks of its driver at least once a second. What it said longer ago than this is no news.
pub(crate) const GPU_LINK_GONE: Millis = Millis::from_secs(3);

impl GpuView {
    /// Whether the driver is let go because somebody asked. The word of a GPU process that is gone says nothing.
    #[must_use]
    pub fn is_detached(&self, now: Millis) -> bool {
        self.driver == DriverState::Detached && self.driver_age(now) <= GPU_LINK_GONE
    }

    /// Time since the driver's state was last heard; for ever if it never was.
    #[must_use]
    pub fn driver_age(&self, now: Millis) -> Millis {
        self.heard_at.map_or(Millis::FOREVER, |at| now.since(at))
    }
}

/// The latest readings of one GPU.
#[derive(Clone, Debug)]
pub struct GpuEntry {
    /// As the GPU process sent them. Shared, since the cycle looks at it ten times a second.
    pub sample: Arc<GpuSample>,
    /// When they arrived, on the agent's clock.
    pub received_at: Millis,
}

impl GpuEntry {
    /// Time since the readings were taken from the device; for ever if they never were.
    #[must_use]
    pub fn age(&self, now: Millis) -> Millis {
        if self.sample.age_ms == u32::MAX {
            return Millis::FOREVER;
        }
        Millis::new(self.sample.age_ms.into()) + now.since(self.received_at)
    }
}

/// The latest request for one GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuRequest {
    /// What was asked.
    pub throttle: Throttle,
    /// What came of it; absent until the GPU process has answered on the present connection.
    pub verdict: Option<Verdict>,
}

/// What happened on the link since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Connections on which the GPU process was heard.
    pub connections: u64,
    /// Frames received.
    pub frames: u64,
    /// Frames refused, each at the cost of its connection.
    pub malformed: u64,
    /// Beats replaced by a newer one, or dropped, before they could be sent.
    pub beats_dropped: u64,
    /// Requests replaced by a newer one before they could be sent.
    pub requests_replaced: u64,
    /// Requests for a GPU that no node can have.
    pub requests_refused: u64,
    /// Errors of GPUs that were told.
    pub events: u64,
}

#[cfg(test)]
impl GpuView {
    /// A node with one GPU, heard at time zero.
    pub(crate) fn of_one(sample: GpuSample) -> Self {
        Self {
            link: LinkState::Up,
            driver: DriverState::Ready,
            driver_version: heapless::String::new(),
            heard_at: None,
            detached_left: Millis::ZERO,
            may_throttle: true,
            gpus: vec![GpuEntry { sample: Arc::new(sample), received_at: Millis::ZERO }],
            requests: Vec::new(),
            errors: Vec::new(),
        }
    }
}
