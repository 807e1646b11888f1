//! The delivery to カオナビ, on an injected clock, with the real steps, a real store and the simulator in process.

mod budget;
mod crash;
mod delivery;
mod mapping;
mod people;
mod promises;
mod rules;
mod world;
