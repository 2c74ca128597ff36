//! The relay, as the built program serves it.

mod administration;
mod company;
mod crash;
mod cut;
mod ends;
mod full_disk;
mod hostile;
mod joining;
mod leaving;
mod limits;
mod nobody_gets_in;
mod notifier;
mod queued;
mod rooms;
mod slow_readers;
mod starts;
pub mod team;
mod tls;
mod unit;
mod v1_life;
mod weaknesses;
mod without_trace;
