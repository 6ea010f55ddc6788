//! Dumps that the SV app writes into its own volume, taken from there with the real program: what comes of them, and
//! what it says and leaves behind when the app, its volume or what is on it is not as it should be.

mod answers;
mod auto;
mod bench;
mod delivered;
mod killed;
mod refused;
mod sound;
mod waiting;
