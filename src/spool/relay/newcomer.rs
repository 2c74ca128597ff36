//! Whoever is not registered yet: the calls that a room's or an invite's token allows.

use crate::client::{Deadline, PATIENCE};
use crate::message::AgentName;
use crate::relay::calls::{Again, Calls, Refusal};
use crate::relay::url::RelayUrl;
use crate::relay::wire::{Health, Invited, NewInvite, Register, Registered, SERVICE, feature};
use crate::secret::Secret;

/// The bearer of a token that admits new names.
pub struct Newcomer {
    calls: Calls,
    features: Vec<String>,
}

impl Newcomer {
    /// Looks who answers there.
    ///
    /// # Errors
    /// Where nobody does, or no relay.
    pub fn meet(url: RelayUrl, room: Option<String>, token: Secret) -> Result<Self, Refusal> {
        let calls = Calls::new(url, room, token, Deadline::Each(PATIENCE))?;
        let health: Health = calls.get("/v1/health")?;
        if health.service != SERVICE {
            let reason = format!("it says that it is `{:.40}`", health.service);
            return Err(Refusal::NoRelay { url: calls.url, reason });
        }
        Ok(Self { calls, features: health.features })
    }

    fn has(&self, name: &str) -> bool {
        self.features.iter().any(|feature| feature == name)
    }

    /// Whether the relay takes a token that the newcomer made, so that a lost answer can be asked for again.
    #[must_use]
    pub fn may_bring_a_token(&self) -> bool {
        self.has(feature::REGISTER_TOKEN)
    }

    /// Whether the relay makes tokens for invites.
    #[must_use]
    pub fn may_invite(&self) -> bool {
        self.has(feature::JOIN_TOKENS)
    }

    /// Registers a name; returns its token, which is `token` where the relay takes that.
    ///
    /// # Errors
    /// See [`Refusal`]; 409 where the name is another's.
    pub fn register(&self, name: &AgentName, token: &Secret) -> Result<Secret, Refusal> {
        let brings = self.may_bring_a_token();
        let register = Register { name: name.clone(), token: brings.then(|| token.clone()) };
        let again = if brings { Again::Always } else { Again::Unheard };
        let registered: Registered = self.calls.post("/v1/register", &register, again)?;
        match registered.token {
            _ if brings => Ok(token.clone()),
            Some(token) => Ok(token),
            None => Err(Refusal::NoRelay {
                url: self.calls.url.clone(),
                reason: "it registered the name and gave no token".to_owned(),
            }),
        }
    }

    /// Registers a name by its own token, which is the bearer's: whether it is, in truth.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn register_again(&self, name: &AgentName) -> Result<(), Refusal> {
        let register = Register { name: name.clone(), token: None };
        let Registered { .. } = self.calls.post("/v1/register", &register, Again::Always)?;
        Ok(())
    }

    /// Makes a token for an invite.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn invite(&self, expires_s: u64, uses: u32) -> Result<Invited, Refusal> {
        let invite = NewInvite { room: None, expires_s: Some(expires_s), uses: Some(uses) };
        self.calls.post("/v1/invites", &invite, Again::Unheard)
    }
}
