//! Tests of the rules: decisions, stored shapes, properties.

mod access;
mod account;
mod catalogue;
mod companions;
mod documentation;
mod given;
mod ids;
mod listener;
mod playlist;
mod properties;
mod recorded;
mod samples;
mod upcasting;
