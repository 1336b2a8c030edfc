//! A random program, played on an endpoint whose peer, transport, user and clock are all here, beside a
//! model of what must come of it.

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
