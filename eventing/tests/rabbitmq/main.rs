//! RabbitMQ as the bus, on private brokers: its contract, its consumers, its messages, and what it does when it is
//! killed, paused, stopped, full, misused, or loses its disk.

mod broker;
#[path = "../consumer/cases.rs"]
mod cases;
mod faults;
mod golden;
mod intake;
mod own;
#[path = "../consumer/recorder.rs"]
mod recorder;
mod relays;
mod startup;
#[path = "../consumer/world.rs"]
mod world;

pub(crate) use broker::fresh_bus;

eventing::bus_contract!(contract, crate::fresh_bus);
