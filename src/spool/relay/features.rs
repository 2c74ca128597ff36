//! What the relay can do: asked once, and remembered. A relay of the first version is asked again now and then, for it
//! may be upgraded in place.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{RelaySpool, Result, files};
use crate::relay::calls::Refusal;
use crate::relay::wire::{Health, SERVICE, feature};

/// After this long a relay without any features is asked again.
const STALE: SignedDuration = SignedDuration::from_mins(10);

/// What a relay said of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Features {
    features: Vec<String>,
    asked: Timestamp,
}

impl Features {
    fn has(&self, name: &str) -> bool {
        self.features.iter().any(|feature| feature == name)
    }

    /// Whether messages are claimed under leases, and else taken at most once.
    pub(super) fn leases(&self) -> bool {
        self.has(feature::CLAIM)
    }

    /// Whether a message that is sent again is delivered once.
    pub(super) fn knows_sends(&self) -> bool {
        self.has(feature::IDEMPOTENT_SEND)
    }
}

impl RelaySpool {
    pub(super) fn features(&self) -> Result<Features> {
        let path = self.here.root.join("relay.json");
        let known = files::read(&path).ok().flatten();
        let known = known.and_then(|bytes| serde_json::from_slice::<Features>(&bytes).ok());
        let is_fresh =
            |known: &Features| known.leases() || self.here.env.now().duration_since(known.asked) < STALE;
        if let Some(known) = known.filter(is_fresh) {
            return Ok(known);
        }
        let health: Health = self.calls.get("/v1/health")?;
        if health.service != SERVICE {
            let reason = format!("it says that it is `{:.40}`", health.service);
            return Err(Refusal::NoRelay { url: self.calls.url.clone(), reason }.into());
        }
        let features = Features { features: health.features, asked: self.here.env.now() };
        // Where it cannot be remembered, it is asked again.
        let _ = files::replace(&path, serde_json::to_string(&features).unwrap_or_default().as_bytes());
        Ok(features)
    }

    /// The relay is another than we thought.
    pub(super) fn forget_features(&self) {
        let _ = std::fs::remove_file(self.here.root.join("relay.json"));
    }
}
