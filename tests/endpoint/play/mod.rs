//! A random program, played on an endpoint whose peer, transport, user and clock are all here, beside a
//! model of what must come of it:
//!
//! - What has arrived whole before the peer's end, and before this side closes or gives up, is taken once
//!   and in order, or counted as dropped: by a policy, or as too much at the end. What arrives after this
//!   side has closed is neither. Without memory the rest is lost, and the user is told that it failed.
//! - What waits is bounded: by 512 KiB and two messages, or by so many messages, and at the end 16 MiB more; with a policy, by
//!   its number of messages, and 1024 pings. So is what is held back: two reads.
//! - Only whole, freshly masked frames are written, at most one close frame, and nothing after it.
//! - Between the fragments of a message only control frames are written; other messages are when it is
//!   complete, in order.
//! - Pings are answered in order, while writing is paused only the newest.
//! - Whoever awaits a pong is told what the round trip took, when that or a later ping's has come.
//! - The end is told once, with a code that does not change, and answered when the messages before are
//!   taken, or their time is up. Each step of it has its own time.
//! - What is due is what is needed: a transport is told to pause when it does not know, and whoever
//!   waits when there is something to take.
//! - Wherever a program stops, if both sides take what is offered from then on, everything ends: all
//!   messages are taken, the transport is gone, and nothing is due. If each waits for the other to read
//!   first, this side reads.

mod finish;
mod maker;
mod model;
mod peer;
mod settle;
mod step;
mod transport;
mod user;
mod world;

pub use step::{Setting, Step};

/// Play a program to its end.
///
/// # Panics
/// The endpoint does not do what the model says.
pub fn play(setting: Setting, steps: &[Step]) {
    let mut world = world::World::new(setting);
    for step in steps {
        world.step(step);
    }
    world.finish();
}
