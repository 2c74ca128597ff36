//! Mail as it lands.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use backchannel::message::MessageId;
use backchannel::spool::{Filter, Watch, Whose};

use super::{Stage, agent, on_each_backend};

on_each_backend!(a_watch_tells_of_what_lands, what_is_unread_again_lands_again);

/// A watch over bob's mail, with its bell.
struct Watched {
    watch: Box<dyn Watch>,
    rings: mpsc::Receiver<()>,
}

impl Watched {
    fn of(stage: &Stage) -> Self {
        let (ring, rings) = mpsc::channel();
        let ring = Box::new(move || {
            let _ = ring.send(());
        });
        let watch = stage.spool("bob").watch(Whose::These(vec![agent("bob")]), ring).unwrap();
        Self { watch, rings }
    }

    /// Waits until so many have landed.
    fn next(&mut self, count: usize) -> Vec<MessageId> {
        let (begun, mut ids) = (Instant::now(), Vec::new());
        while ids.len() < count {
            assert!(begun.elapsed() < Duration::from_secs(30), "{} of {count} landed", ids.len());
            self.watch.look(&mut |landed| ids.push(landed.message.id)).unwrap();
            if ids.len() < count {
                let _ = self.rings.recv_timeout(Duration::from_millis(500));
            }
        }
        ids.sort();
        ids
    }
}

fn a_watch_tells_of_what_lands(stage: &Stage) {
    let before = stage.send("ann", "@bob", |_| ()).id;
    let mut watched = Watched::of(stage);
    assert_eq!(watched.next(1), [before]);
    let mut sent: Vec<_> = (0..5).map(|_| stage.send("ann", "@bob", |_| ()).id).collect();
    sent.sort();
    assert_eq!(watched.next(5), sent);
    assert!(watched.watch.is_unread(&agent("bob"), before).unwrap());
    assert!(watched.watch.waiting().unwrap().contains(&sent[0]));
    stage.claim(&stage.session("s"), &Filter::default());
    assert!(!watched.watch.is_unread(&agent("bob"), before).unwrap());
    assert!(watched.watch.waiting().unwrap().contains(&before), "it is claimed, and not gone");
}

fn what_is_unread_again_lands_again(stage: &Stage) {
    let mut watched = Watched::of(stage);
    let sent = stage.send("ann", "@bob", |_| ()).id;
    assert_eq!(watched.next(1), [sent]);
    let lease = stage.session("s");
    let message = stage.claim(&lease, &Filter::default()).messages.remove(0).message;
    // A look in between knows that it is unread no more.
    watched.watch.look(&mut |_| panic!("nothing landed")).unwrap();
    let spool = stage.spool("bob");
    spool.release(&agent("bob"), &lease.id, &message).unwrap();
    spool.settle().unwrap();
    assert_eq!(watched.next(1), [sent]);
}
