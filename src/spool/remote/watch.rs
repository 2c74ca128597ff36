//! Unread mail as it lands elsewhere, and what is unread in the desk.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Remote;
use crate::message::{AgentName, Message, MessageId};
use crate::spool::{Error, Landed, Result, Spool as _, Watch, Whose};

/// Called when a look may find something.
pub(in crate::spool) type Ring = Box<dyn FnMut() + Send>;

/// What was heard of new mail: whoever listens puts it here, and the next look takes it.
#[derive(Debug, Clone, Default)]
pub(in crate::spool) struct Landing(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(in crate::spool) struct State {
    /// Landed, and not handed out yet.
    pub(in crate::spool) landed: HashMap<MessageId, Message>,
    /// Handed out or about to be, and perhaps unread still: it is not to be handed out again for being told of again.
    pub(in crate::spool) known: HashSet<MessageId>,
    /// Why nobody listens, and will not.
    pub(in crate::spool) refusal: Option<Error>,
}

impl Landing {
    pub(in crate::spool) fn state(&self) -> MutexGuard<'_, State> {
        // Each change is one step: a panic elsewhere left it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A watch over one agent's mail there, and over what is unread in the desk.
pub(super) struct RemoteWatch<R: Remote> {
    remote: R,
    desk: Box<dyn Watch>,
    landing: Landing,
    _listener: R::Listener,
}

impl<R: Remote> RemoteWatch<R> {
    pub(super) fn start(remote: R, ring: Ring) -> Result<Self> {
        let ring = Arc::new(Mutex::new(ring));
        let rung = move || {
            let mut ring = ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring();
        };
        let (here, landing) = (remote.here(), Landing::default());
        let desk = here.desk.watch(Whose::These(vec![here.agent.clone()]), Box::new(rung.clone()))?;
        let listener = remote.listen(&landing, Box::new(rung))?;
        Ok(Self { remote, desk, landing, _listener: listener })
    }
}

impl<R: Remote> Watch for RemoteWatch<R> {
    fn look(&mut self, hand_out: &mut dyn FnMut(Landed)) -> Result<()> {
        let here = self.remote.here();
        let lying = here.desk.all_that_lies(&here.agent)?;
        let is_here = |id: &MessageId| lying.contains_key(id) || here.journal.was_read(*id);
        let landed = {
            let mut state = self.landing.state();
            if let Some(refusal) = state.refusal.take() {
                return Err(refusal);
            }
            // What was claimed here meanwhile lands again if it is given back.
            state.known.retain(|id| !is_here(id));
            std::mem::take(&mut state.landed)
        };
        for message in landed.into_values().filter(|message| !is_here(&message.id)) {
            hand_out(Landed { agent: here.agent.clone(), message });
        }
        self.desk.look(hand_out)
    }

    fn catch_up(&mut self) -> Result<()> {
        let there = self.remote.unread_there()?;
        // It answers; what does not go out even so waits for the next time.
        let _ = self.remote.settle_there();
        let mut state = self.landing.state();
        for message in there.messages {
            if state.known.insert(message.id) {
                state.landed.insert(message.id, message);
            }
        }
        Ok(())
    }

    fn is_told(&self) -> bool {
        self.desk.is_told()
    }

    fn is_unread(&self, agent: &AgentName, id: MessageId) -> Result<bool> {
        Ok(self.unread_of(&[(agent.clone(), id)])?.contains(&id))
    }

    fn unread_of(&self, these: &[(AgentName, MessageId)]) -> Result<HashSet<MessageId>> {
        let mut unread = self.desk.unread_of(these)?;
        if these.iter().all(|(_, id)| unread.contains(id)) {
            return Ok(unread);
        }
        // However many are asked about, it is asked once: a list of mail may be long.
        let there: HashSet<_> =
            self.remote.unread_there()?.messages.iter().map(|message| message.id).collect();
        unread.extend(these.iter().map(|(_, id)| *id).filter(|id| there.contains(id)));
        Ok(unread)
    }

    fn waiting(&self) -> Result<HashSet<MessageId>> {
        let mut waiting = self.desk.waiting()?;
        waiting.extend(self.remote.lying_there()?);
        Ok(waiting)
    }
}
