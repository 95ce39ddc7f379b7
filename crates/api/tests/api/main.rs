//! The API against a real hub with streams that are published by the test.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a world that cannot be set up fails its test")]

mod access;
mod lists;
mod openapi;
mod paths;
mod shapes;
mod world;
